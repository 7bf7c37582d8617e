# %% [markdown]
# # Appendix C: are units said to be loud fond of loud clips?
#
# A word in a description can be checked against the sound itself.
# Appendix C of the paper does so for two words and all neurons of AST {cite}`wu2024and`.
# **Its claims**: the highest clips of neurons with "loud" in their open concepts ({glue:text}`paper_loud` of {glue:text}`paper_all`) have larger amplitudes; those of neurons with "high-pitched" have higher median frequencies, though less markedly (Fig. 8).

# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
summariser: str = "rules"  # who writes the summaries: rules | llm
llm: str = ""  # the summariser's language model, asked about every neuron: transformers:MODEL | openai:MODEL | vllm:MODEL

# %%
import pandas as pd

import andlib as al
from andlib.pages import appendix_c
from andlib.pages.section_4_4 import together, verdict
from andlib.report.tables import keep, plain
from andlib.statistics import holm

run = al.open_run(globals())
origins = run.caption_parts
al.figures.style()

# %% [markdown]
# ## What is measured
#
# - **Amplitude**: the mean of $|x|$ over a clip's samples, which lie between −1 and 1. The paper's "averaged waveform amplitude" may mean this or another average.
# - **Median frequency** (MDF): the frequency below which half of the clip's power lies.
#
# A neuron's value is the mean over its {glue:text}`k` highest clips.

# %% mystnb={"figure": {"name": "acoustics", "caption": "Figure 8: what the highest clips of a neuron measure, for neurons without and with the adjective in their open concepts. Boxes: quartiles over neurons."}, "image": {"alt": "Two panels of two boxes: mean amplitude without and with loud, median frequency without and with high-pitched"}} tags=["hide-input"]
first = run.models[0]
axis = {"loud": "mean amplitude", "high-pitched": "median frequency (Hz)"}
al.figures.acoustics({word: appendix_c.unit_acoustics(run, first, word) for word in appendix_c.WORDS}, axis);

# %% [markdown]
# ## With and without
#
# *Share* is how often a neuron with the word exceeds one without, 50 % by chance: it compares the two words, whose values have different units.
# One interval draws neurons anew, the other the source recordings of their clips; the verdict asks both.
# $p$ is of the rank test over neurons, adjusted for all rows by Holm's rule; it takes neurons for independent.
#
# The first rows are **circular** where captions state a measured level and pitch (origin "measured"): a caption says "loud" of clips *because* their amplitude is high, and a summary repeats it.
# They show that the chain from sound to word and back is whole, not that a word was found by ear.
# The other rows are described anew without that part, by what a file says or the ear names.

# %% tags=["hide-input"]
bare = appendix_c.without_measured(run)
rows = [
    {"model": name, "word": word, "descriptions": " + ".join(source.caption_parts), **appendix_c.with_and_without(source, name, word)}
    for source in (run, bare)
    for name in run.models
    for word in appendix_c.WORDS
]
found = pd.DataFrame(rows).assign(p=lambda table: holm(table["p"]))
ends = zip(found[["low", "source_low"]].min(axis=1), found[["high", "source_high"]].max(axis=1), strict=True)
found["verdict"] = [verdict(*pair) for pair in ends]
heads = {"mean_with": "mean with", "mean_without": "mean without", "low": "95 % (neurons) from", "high": "to", "source_low": "95 % (sources) from", "source_high": " to", "verdict": "larger with the word"}
number = dict.fromkeys(["mean with", "mean without", "difference", "95 % (neurons) from", "to", "95 % (sources) from", " to"], ".3g")
shown = found.drop(columns=["share_low", "share_high"]).rename(columns=heads)
plain(shown, "Figure 8: highest clips of neurons with and without the word", run.made_by(), number | {"share": ".0%", "p": ".2g"})

# %% tags=["remove-cell"]
printed = al.paper.numbers()["figures"]["8_acoustic_properties"]
loud, high = (found[(found["model"] == first) & (found["word"] == word)] for word in appendix_c.WORDS)


def margin(i):
    """Whether the word "loud" sets neurons apart more than "high-pitched" does, by intervals that do not meet."""
    ends = loud["share_low"].iloc[i] - high["share_high"].iloc[i], loud["share_high"].iloc[i] - high["share_low"].iloc[i]
    return verdict(*ends)


def unmeasured(table):
    """What is left of the contrast where captions measure nothing, in words."""
    row = table.iloc[1]
    if not row["with"]:
        return "no neuron has the word then"
    return f"{row['with']} neurons have the word then; larger: {row['verdict']}"


keep(
    paper_loud=printed["loud_neurons"],
    paper_all=printed["loud_neurons"] + printed["not_loud_neurons"],
    k=run.k,
    title=run.profile.title,
    network=first,
    loud=int(loud["with"].iloc[0]),
    high=int(high["with"].iloc[0]),
    all=int(loud["with"].iloc[0] + loud["without"].iloc[0]),
    f8a_loud=loud["verdict"].iloc[0],
    high_larger=high["verdict"].iloc[0],
    high_less=margin(0),
    f8b_high_pitched=together([high["verdict"].iloc[0], margin(0)]),
    loud_bare=unmeasured(loud),
    high_bare=unmeasured(high),
    loud_share=f"{loud['share'].iloc[0]:.0%}",
    high_share=f"{high['share'].iloc[0]:.0%}",
    acoustics=found,
)

# %% [markdown]
# ## Compared with the paper
#
# A claim *holds* if both intervals lie above zero, *fails* if both lie below, and is *undecided* otherwise.
# On {glue:text}`title`, {glue:text}`loud` of {glue:text}`all` neurons of {glue:text}`network` have "loud", {glue:text}`high` have "high-pitched".
#
# - Larger amplitudes with "loud" (Fig. 8a): {glue:text}`f8a_loud`; a neuron with the word exceeds one without in {glue:text}`loud_share` of pairs. Without measured captions: {glue:text}`loud_bare`.
# - Higher median frequencies with "high-pitched", less markedly (Fig. 8b): {glue:text}`f8b_high_pitched`. Higher: {glue:text}`high_larger`, in {glue:text}`high_share` of pairs; less markedly, by shares whose intervals do not meet: {glue:text}`high_less`. Without measured captions: {glue:text}`high_bare`.
#
# ## What differs, and why
#
# - **Circularity.** The paper's captions were written by an audio language model that heard the clips; nothing tells how far it heard level and pitch. Ours state them from the samples, which makes the first rows easy.
# - **Level.** A recording's level says how its file was made as much as how loud its source was. Networks see it: neither front end removes it clip by clip.
# - **MDF is no pitch.** A voice called high-pitched has most of its power far below that of rain or wind, whose noise reaches over the whole spectrum: words heard by an audio language model need not go with a high median frequency. The paper, too, calls it an indirect measure.
# - **Independence.** The paper compares distributions over neurons by eye. Thousands of neurons share a few hundred clips, so that a rank test over neurons finds nearly any difference significant.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/appendix_c_acoustics.ipynb out.ipynb -p model beats_frozen
# papermill notebooks/appendix_c_acoustics.ipynb out.ipynb -p k 20
# ```
#
# Next: [probe one neuron](probe_one_neuron.ipynb).
