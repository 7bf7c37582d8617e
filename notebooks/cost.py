# %% [markdown]
# # What a dissection costs
#
# The paper states three costs, all of language models on one NVIDIA RTX A6000 (Appendix A) {cite}`wu2024and`: {glue:text}`paper_captions` hours to caption ESC-50 with SALMONN, and {glue:text}`paper_ast` and {glue:text}`paper_beats` hours to summarise the neurons of AST and of BEATs with Llama-2-chat-13B.
# Of recording, labelling and silencing units it states none.

# %%
import andlib as al
from andlib.pages import cost

run = al.open_run(globals())
costs = cost.measured()
stages = cost.by_stage(costs)
made = cost.made_by(costs)

# %% [markdown]
# ## What is measured
#
# Seconds are **processor time on one thread** of an {glue:text}`processor` core: the time that other programs took is not in it, but the machine was busy with some, which slows memory and so adds to it.
# Each is the mean over a few clips, units or questions, after a first call that loads what is needed and is not counted.
# Loading of networks, reading of files and statistics are left out.
#
# ## Ours: the profile mini
#
# {glue:text}`mini_clips` clips of {glue:text}`mini_seconds` s, {glue:text}`mini_units` units of the small AST.

# %% tags=["hide-input"]
formats = {"one, ms": ".3g", "minutes": ".2g"}
al.tables.plain(cost.on_mini(stages), "Processor time of every stage on mini, one network", made, formats)

# %% [markdown]
# Without a language model: {glue:text}`mini_total:.1f` minutes.
#
# ## Projected: ESC-50 and networks of the paper's size
#
# A count times the seconds for one, both shown.
# Recording, silencing, the ear, TAB's encoder and the choice of clips were measured at this size: clips of {glue:text}`full_seconds` s, networks of {glue:text}`ast_units` (AST) and {glue:text}`beats_units` (BEATs) units, both untrained (random weights throughout), which cost what trained ones do.
# The rest costs the same for a unit or a text as on mini, and its rate is taken from there.

# %% tags=["hide-input"]
formats = {"seconds for one": ".2g", "CPU hours": ".2g", "the paper, GPU hours": ".0f"}
caption = "Projected to ESC-50: seconds for one times the count"
al.tables.plain(cost.projected(stages), caption, made, formats)

# %% tags=["remove-cell"]
al.tables.keep(**cost.words(costs, stages))

# %% [markdown]
# - **Describing every unit** without a language model: {glue:text}`describing` CPU hours, of which recording is {glue:text}`recording`.
# - **Table 4**, silencing: {glue:text}`silencing` CPU hours for the paper's four strategies. Every further strategy or control costs a quarter of that again; [our page](4_3_unlearning.ipynb) has several.
# - **A language model.** The paper's hours make {glue:text}`a_summary_paper:.2f` s a summary and {glue:text}`a_caption_paper:.0f` s a caption on its GPU; SmolLM2-135M takes {glue:text}`a_summary_small:.1f` s a summary on our core. It is a hundredth of Llama-2-13B's size, so the two columns are no comparison of speed. Equal questions are asked once, so {glue:text}`questions:,` is the most that AST can take; verdicts on adjectives and ICL ask far fewer and are left out.
# - **Disk**: activations of every unit on every clip, in float32: {glue:text}`disk` GB.
#
# ## What is not measured
#
# - **A GPU of ours.** Nothing here was timed on one; the paper's column is the paper's.
# - **Captions by an audio language model**, which wants one: the paper's hours stand alone.
# - **Statistics, controls and figures** of the pages. [How to run](../../how_to_run.md) says how long pages take by the clock.
#
# ## Try it yourself
#
# ```bash
# make llm
# python -m benchmarks.cost         # writes results/mini/stage_costs.json
# python -m benchmarks describing   # an AST of the paper's size, 2000 clips to described units
# ```
#
# Next: [the paper's claims](claims.ipynb).
