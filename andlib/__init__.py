"""Audio network dissection: what single neurons of audio networks respond to, in words.

>>> import andlib as al
>>> run = al.open_run({"model": "ast"})
>>> al.neurons(run, "ast")"""

from andlib import paper
from andlib.ablation import ablate
from andlib.descriptions import clip_captions, clip_descriptions
from andlib.errors import InputError
from andlib.firing import where_it_fired
from andlib.heads import with_head
from andlib.inputs.probing import open_folder
from andlib.networks.checkpoints import load_target
from andlib.networks.wrapping import wrap
from andlib.profiles import PROFILES
from andlib.records import ProbingSet, Unit
from andlib.report import cards, figures, tables
from andlib.report.artefact import check_export, export
from andlib.report.cards import show
from andlib.responses import unit_activations
from andlib.run import Run, open_run
from andlib.searching import search
from andlib.stages import neurons
from andlib.targets import Layer, Target
