# %% [markdown]
# # B.2 What the modules say, side by side
#
# Table 6 of the paper prints, for two neurons of AST, the classes of their five highest clips and what three modules make of them: TAB's and DB's concept out of an open set, and the summary after calibration {cite}`wu2024and`.
# **What it shows**: the closed concepts are a few words that may miss (one of DB's speaks of crucifying), the summaries are sentences about what the clips share, and say how the sounds are, not only what makes them.

# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
concepts: str = "acoustic"  # concept set: acoustic | esc50 | classes (the probing set's) | a file with one concept a line
summariser: str = "rules"  # who writes the summaries: rules | llm
llm: str = ""  # the summariser's language model: smollm2 | transformers:MODEL | openai:MODEL | vllm:MODEL
per_block: int = 3  # neurons drawn from each block
seed: int = 0  # of the draw
units: str = ""  # more neurons, comma-separated: layer/number, counted from 0, like block0.output/17

# %%
import andlib as al
from andlib.pages import appendix_b, section_4_2

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)

# %% [markdown]
# ## What is shown
#
# {glue:text}`drawn` neurons, {glue:text}`per_block` drawn from each block with a seed, not picked; those named in `units` come first.
# The concept set holds {glue:text}`concepts` phrases.
# A point that is missing from a summary's numbering was removed by calibration, for it holds of the lowest clips, too.
#
# ## Table 6

# %% tags=["hide-input"]
neurons = section_4_2.sampled_neurons(run, per_block, seed, units)
described = section_4_2.neuron_descriptions(run, neurons)
heads = {"labels": "classes of the highest clips", "TAB": "module A: TAB", "DB": "module A: DB", "SUM": "module B: SUM"}
al.tables.keep(**appendix_b.words(run, neurons, described))
al.tables.plain(described, "Table 6. What the modules say of the same neurons", made, heads=heads)

# %% [markdown]
# On {glue:text}`title`, the {glue:text}`k` highest clips of a neuron come from {glue:text}`classes:.1f` classes on average; {glue:text}`one_class` of the {glue:text}`drawn` neurons have clips of one class alone.
# Where classes differ, as in the paper's two neurons, a concept can at best name what some of the clips are.
#
# - **TAB and DB** agree on {glue:text}`same` neurons. Both must name one of the concepts, however little it fits: they cannot say that nothing does.
# - **Summaries** have {glue:text}`before:.1f` points on average before calibration, which removes {glue:text}`removed:.0%` of them; {glue:text}`silent` neurons keep none. {glue:text}`sources:.0%` of points name a source, the others qualities and events.
#
# ## What differs from the paper, and why
#
# - **Which neurons.** The paper draws its two rows at random and does not say which units they are, so they cannot be looked up.
# - **Concepts** are ours (`acoustic`), in the manner of Kumar et al. (2017), whose set the paper uses. Theirs is mined from text and holds phrases that name no sound.
# - **Summaries** are written by rules that count what the captions say. They cannot speak of video games, as the paper's language model does; [the page on summaries](3_summaries.ipynb) puts both side by side.
# - **Looking is no measure.** A few rows convince of anything: [Section 4.2](4_2_human_evaluation.ipynb) asks people, [Section 4.1](4_1_last_layer.ipynb) counts.
#
# ## Try it yourself
#
# `papermill notebooks/appendix_b_qualitative.ipynb out.ipynb -p units "block3.output/5, block0.intermediate/17"`
