# %% [markdown]
# # B.2 What the modules say, side by side
#
# On {glue:text}`title`, the {glue:text}`k` highest clips of a [neuron](../../glossary.md) come from {glue:text}`classes:.1f` classes on average, so a single concept can at best name some of them.
# Table 6 of the paper prints what three modules make of two neurons of AST: TAB's and DB's concept, and the summary after calibration {cite}`wu2024and`.
# **What it shows**: closed concepts are a few words that may miss (one of DB's speaks of crucifying), and summaries say what clips share and how they sound, not only what makes them.
# The table below does the same for {glue:text}`drawn` neurons, {glue:text}`per_block` drawn from each block with a seed, after those named in `units`.

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

# %% tags=["hide-input"]
neurons = section_4_2.sampled_neurons(run, per_block, seed, units)
described = section_4_2.neuron_descriptions(run, neurons)
heads = {"labels": "classes of the highest clips", "TAB": "module A: TAB", "DB": "module A: DB", "SUM": "module B: SUM"}
al.tables.keep(**appendix_b.words(run, neurons, described))
al.tables.plain(described, "Table 6. What the modules say of the same neurons", made, heads=heads)

# %% [markdown]
# A point that is missing from a summary's numbering was removed by [calibration](../../glossary.md), for it holds of the lowest clips, too.
#
# - **Clips**: {glue:text}`one_class` of the neurons have highest clips of one class alone.
# - **TAB and DB** agree on {glue:text}`same` neurons. Both must name one of {glue:text}`concepts` concepts, however little it fits: they cannot say that nothing does.
# - **Summaries** have {glue:text}`before:.1f` points on average before calibration, which removes {glue:text}`removed:.0%` of them; {glue:text}`silent` neurons keep none. {glue:text}`sources:.0%` of points name a source, the others qualities and events.
#
# ## What differs from the paper, and why
#
# - **Neurons.** The paper draws its two rows at random and does not say which units they are, so they cannot be looked up.
# - **Concepts** are ours (`acoustic`), in the manner of Kumar et al. (2017), whose set the paper uses. Theirs is mined from text and holds phrases that name no sound.
# - **Summaries** are written by rules that count what the captions say. They cannot speak of video games, as the paper's language model does; [the page on summaries](3_summaries.ipynb) puts both side by side.
# - **Measure.** A few rows measure nothing: [Section 4.2](4_2_human_evaluation.ipynb) asks people, [Section 4.1](4_1_last_layer.ipynb) counts.
#
# ## Try it yourself
#
# `papermill notebooks/appendix_b_qualitative.ipynb out.ipynb -p units "block3.output/5, block0.intermediate/17"`
