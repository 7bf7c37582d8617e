# %% [markdown]
# # The probing set
#
# Of the {glue:text}`clips` clips of {glue:text}`title`, {glue:text}`named:.0%` have the right class named in their description, by sentences of origin *{glue:text}`namer`*.
# AND describes a [neuron](../../glossary.md) by the clips of a [probing set](../../glossary.md) $D_p$ that activate it most and least.
# It can say no more than these clips and their descriptions $D_d$ hold.
# The paper probes with ESC-50 (2000 recordings of 5 s, 50 classes, 5 folds) and lets SALMONN-13B describe each clip {cite}`wu2024and,piczak2015esc`.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps

# %%
import andlib as al
from andlib.pages import section_2

run = al.open_run(globals())
probing_set, made = run.probing_set, run.made_by()

# %% [markdown]
# Here is one clip of each class, frequency (0 to 8 kHz) upwards and time to the right, with the description that the pipeline reads.
# The descriptions were made without the class, so wrong names are the captioner's own.

# %% tags=["hide-input"]
texts = al.clip_descriptions(run)
first = section_2.first_of_each_class(probing_set)
al.cards.gallery(probing_set, [probing_set.clips[i] for i in first], [texts[i] for i in first], run.profile.seconds)

# %% [markdown]
# A class counts as named if a lemma or a synonym of its name occurs.
# Sentences of origin `measured` speak of level, pitch, brightness, repetition, onset, steadiness, noisiness and duration, and name no source by design.
# {glue:text}`notes`

# %% mystnb={"code_prompt_show": "How often captions name each class"} tags=["hide-cell"]
named = section_2.captioner_accuracy(run)
origins = sorted(named["origin"].unique())
wide = named.pivot(index="label", columns="origin", values="named").reindex(probing_set.classes).reset_index()
caption = "Share of clips whose description names their class, by origin"
al.tables.plain(wide, caption, run.made_by(*origins), dict.fromkeys(origins, ".0%"))

# %% [markdown]
# ## How hard the classes are
#
# Networks learn from folds 2–5 and are tested on fold 1.
# Of the {glue:text}`sources` recordings of {glue:text}`classes` classes, {glue:text}`straddling` are in more than one fold and could return in the test.
#
# A neuron that prefers a class might only prefer a frequency band, if loudness by band tells the classes apart.
# A linear classifier on the mean and deviation of each of 128 log-mel bands is therefore the floor.
# A synthesised set has a second seed as well, which nobody looked at while its recipes were tuned.

# %% tags=["hide-input"]
al.tables.keep(**section_2.words(run, named))
al.tables.plain(section_2.difficulty(run), "Accuracy on fold 1", made, {"accuracy": ".1%"})

# %% mystnb={"code_prompt_show": "Clips by fold"} tags=["hide-cell"]
al.tables.plain(section_2.by_fold(probing_set), "Clips, classes and source recordings by fold", made)

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Size.** Counts of clips inside similarity functions (28, 100, the top 5 %) are meant for the paper's 2000 clips and scale down below 1000.
# - **Descriptions.** The paper's come from a 13-billion-parameter audio LLM, at 40 GPU hours. Here each joins sentences of the origins {glue:text}`origins`, and results on every page name theirs.
#
# ## Try it yourself
#
# `papermill notebooks/2_probing_set.ipynb out.ipynb -p profile esc50 -p data_dir path/to/ESC-50` probes with ESC-50.
# Any folder in ESC's layout, in Hugging Face's audiofolder layout, or with one folder a class opens with `al.open_folder("path")`.
