# %% [markdown]
# # Appendix C: are units said to be loud fond of loud clips?
#
# On {glue:text}`title`, by captions that measure nothing, the paper's claim about "loud" is {glue:text}`f8a_loud`, and that about "high-pitched" is {glue:text}`f8b_high_pitched`.
# Appendix C of the paper checks these two words against the sound itself, for all neurons of AST {cite}`wu2024and`.
# **Its claims**: the highest clips of neurons with "loud" in their [open concepts](../../glossary.md) ({glue:text}`paper_loud` of {glue:text}`paper_all`) have larger amplitudes. Those of neurons with "high-pitched" have higher median frequencies, though less markedly (Fig. 8).

# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
summariser: str = "rules"  # who writes the summaries: rules | llm
llm: str = ""  # the summariser's language model, asked about every neuron: transformers:MODEL | openai:MODEL | vllm:MODEL

# %%
import andlib as al
from andlib.pages import appendix_c

run = al.open_run(globals())

# %% mystnb={"figure": {"name": "acoustics", "caption": "Figure 8: what the highest clips of a neuron measure, for neurons without and with the adjective in their open concepts. Boxes: quartiles over neurons."}, "image": {"alt": "Two panels of two boxes: mean amplitude without and with loud, median frequency without and with high-pitched"}} tags=["hide-input"]
points = {word: appendix_c.unit_acoustics(run, run.models[0], word) for word in appendix_c.WORDS}
al.figures.acoustics(points, {"loud": "mean amplitude", "high-pitched": "median frequency (Hz)"});

# %% [markdown]
# {glue:text}`loud` of {glue:text}`all` neurons of {glue:text}`network` have "loud", {glue:text}`high` have "high-pitched".
# *Share* is how often a neuron with the word exceeds one without, 50 % by chance; it compares words measured on different scales.

# %% tags=["hide-input"]
judged = appendix_c.judged(*map(appendix_c.contrasts, (run, appendix_c.without_measured(run))))
shown, title = judged.drop(columns=["share_low", "share_high"]), "Figure 8: highest clips of neurons with and without the word"
al.tables.keep(**appendix_c.words(run, judged))
al.tables.plain(shown, title, run.made_by(), appendix_c.FORMATS, appendix_c.HEADS)

# %% [markdown]
# The first rows are circular where captions state a measured level and pitch (origin "measured").
# A caption then says "loud" of clips because their amplitude is high, and a summary repeats it.
# They show that the chain from sound to word and back is whole, not that a word was found by ear.
# For the other rows, clips are described anew without that part, by origins `file` or `source` alone.
# These rows give the verdicts of [the ledger](claims.ipynb), for AST as in the paper.
# Loud (Fig. 8a): {glue:text}`f8a_loud_numbers`
# High-pitched (Fig. 8b): {glue:text}`f8b_high_pitched_numbers`
#
# ## How it is measured
#
# Amplitude is the mean of $|x|$ over a clip's samples, which lie between −1 and 1; the paper's "averaged waveform amplitude" may mean this or another average.
# Median frequency (MDF) is the frequency below which half of the clip's power lies.
# A neuron's value is the mean over its {glue:text}`k` highest clips.
#
# One interval resamples neurons, the other the source recordings of their clips, and a verdict needs both.
# With one source a class, or one neuron, there is no interval and no verdict.
# $p$ comes from the rank test over neurons and is adjusted for all rows by Holm's rule.
#
# ## What differs from the paper, and why
#
# - **Level.** A recording's level says how its file was made as much as how loud its source was. Networks see it: neither front end removes it clip by clip.
# - **MDF is no pitch.** A voice called high-pitched has most of its power far below that of rain or wind, whose noise reaches over the whole spectrum. Words heard by an audio language model need not go with a high median frequency; the paper, too, calls it an indirect measure.
# - **Independence.** The paper compares distributions over neurons by eye. The rank test takes neurons for independent, but thousands of them share a few hundred clips, so it finds nearly any difference significant.
#
# ## Try it yourself
#
# `papermill notebooks/appendix_c_acoustics.ipynb out.ipynb -p model beats_frozen`
