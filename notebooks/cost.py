# %% [markdown]
# # What a dissection costs, and how fast it is
#
# In CPU hours, describing every unit of a network of the paper's size on ESC-50 takes {glue:text}`describing` without a language model, and silencing units for Table 4 takes {glue:text}`silencing`.
# The paper states three costs, all of language models on one NVIDIA RTX A6000 (Appendix A) {cite}`wu2024and`: captions by SALMONN, and summaries of AST's and BEATs' neurons by Llama-2-chat-13B.
# It states none of recording, labelling and silencing units.

# %%
import andlib as al
from andlib.pages import cost

run = al.open_run(globals())
costs = cost.measured()
stages = cost.by_stage(costs)
made = cost.made_by(costs)

# %% [markdown]
# ## Projected: ESC-50 and networks of the paper's size

# %% tags=["hide-input"]
formats = {"seconds for one": ".2g", "CPU hours": ".2g", "the paper, GPU hours": ".0f"}
al.tables.plain(cost.projected(stages), "Projected to ESC-50: seconds for one times the count", made, formats)

# %% [markdown]
# Every strategy or control beyond the paper's four costs a quarter of Table 4 again, and [our page](4_3_unlearning.ipynb) has several.
# Equal questions are asked once, so the counts of summaries by a language model are the most that a network can take.
# Verdicts on adjectives and ICL ask far fewer and are left out.
# SmolLM2, on our core, is a hundredth the size of Llama-2-13B, on the paper's GPU, so the columns do not compare speeds.
# On the [profile](../../glossary.md) `mini` and its small AST, all stages without a language model take {glue:text}`mini_total:.1f` minutes.
#
# ## To AudioSet
#
# AudioSet, which the paper's networks were pre-trained on, has {glue:text}`clips:,` clips of {glue:text}`clip_seconds` s.
# AST pads every clip to its full input; for BEATs and TAB's encoder the time is taken in proportion to the length.
# Attention grows faster than that, so BEATs' hours are a lower bound.

# %% tags=["hide-input"]
hours = cost.to_audioset(costs)
formats = {"clip, s": ".2g"} | dict.fromkeys(hours.columns[3:], ",.2f")
al.tables.plain(hours, "AudioSet: seconds for one clip, and hours for all", made, formats)

# %% [markdown]
# Here recording is nearly all: {glue:text}`recording` core-years.
# The paper's captioner took {glue:text}`caption_seconds:.0f` s a clip on its GPU; at that rate AudioSet is {glue:text}`caption_years:.1f` GPU-years.
# Captioning thus costs most, and a faster captioner, in batches, is the first thing to look for.
# `python -m andlib.scale --part 1/8` makes one of eight parts on any machine that shares the cache ([larger runs](../../larger_runs.md)), byte for byte as a run on one core.
# All activations ({glue:text}`full_gb` GB) exceed the memory budget by far.
# Only the five highest and lowest clips of every unit are kept, with moments of its activations that merge across parts.
#
# ## How fast it is
#
# `make bench` measures each thing beside a plain way to the same result in the same run, since ratios differ less from machine to machine than seconds.
# Slower than was asked for: {glue:text}`missed`.

# %% mystnb={"code_prompt_show": "Ours against a plain reference"} tags=["hide-cell"]
speeds = cost.speeds()
beside = speeds.loc[speeds["reference"].notna(), ["what", "ratio", "asked", "seconds", "reference", "least", "against", "note"]]
heads = {"ratio": "times as fast", "seconds": "ours, s", "reference": "reference, s", "least": "at least, s", "against": "the reference"}
formats = dict.fromkeys(["ours, s", "reference, s", "at least, s"], ".3g") | {"times as fast": ".2f", "asked": "g"}
al.tables.plain(beside, "Ours against a plain reference", speeds["made_by"].iloc[0], formats, heads)

# %% tags=["hide-input"]
alone = speeds.loc[speeds["reference"].isna(), ["what", "seconds", "at_most", "peak_gib", "note"]]
heads = {"at_most": "asked", "peak_gib": "GiB"}
formats = {"seconds": ".3g", "asked": "g", "GiB": ".2f"}
caption = "Seconds, at most how many were asked for, and peak memory"
al.tables.keep(**cost.words(costs, stages), missed=cost.missed(speeds))
al.tables.plain(alone, caption, speeds["made_by"].iloc[0], formats, heads)

# %% [markdown]
# ## How it is measured
#
# **Costs** are means over a few clips, units or questions after a first call; loading of networks, reading of files and statistics are left out.
# Recording, silencing, the ear, TAB's encoder and the choice of clips were measured at full size.
# Full-size networks have random weights throughout and cost what trained ones do.
# The rest costs the same for a unit or a text as on `mini`, and its rate is taken from there.
#
# **Speeds** are seconds by the clock, medians of calls that alternate between ours and the reference, or processor time where a note says so.
# *Describing* takes all cores, the rest one or as stated.
# *At least* is what the machine takes at any rate: one reading of the inputs from memory, or the multiplications and additions, whichever is longer.
# Their rate is that of the run's fastest matrix product on one thread; logarithms and sorting are not counted.
#
# ## What is not measured, or missing
#
# - **A GPU**, and **captions by an audio language model**, which wants one: the paper's hours stand alone.
# - **DB and TAB** read a unit's activation on every clip, and need the full matrices. Beyond the memory budget closed concepts are left out.
# - **Short clips.** Where it records 2000 clips, the full-size AST reads their two seconds unpadded; the paper's pads to ten.
#
# ## Try it yourself
#
# ```bash
# python -m benchmarks.cost                # writes results/mini/stage_costs.json (make llm first)
# make bench args="similarity scoring"     # some of what is fast; without args everything, half an hour
# python -m andlib.scale --profile mini --model ast --part 1/2     # and 2/2 beside it
# ```
