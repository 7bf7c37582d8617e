# %% [markdown]
# # 3.5 Open concepts: which adjectives neurons have
#
# On {glue:text}`title`, the commonest adjectives of {glue:text}`network`'s neurons are {glue:text}`first`, and {glue:text}`shared` words are among the twenty commonest of every network.
# **The paper's claim** (Figs 3 and 9) is a picture: a few common words, "loud" and "high-pitched" among them, head the list of every network {cite}`wu2024and`.
# By the rule that both are among the twenty of every network, this {glue:text}`claim` here: "loud" is among those of {glue:text}`loud`, "high-pitched" of {glue:text}`high`.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
tagger: str = "hanta"  # who tells adjectives and nouns: hanta | nltk (the paper's, after a download)
summariser: str = "rules"  # who writes the summaries of Figs 3 and 9: rules | llm
llm: str = ""  # language model to ask: smollm2 | transformers:MODEL | openai:MODEL | vllm:MODEL; empty reads kept answers

# %%
import andlib as al
from andlib.pages import section_3_5

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)

# %% [markdown]
# ## Figures 3 and 9
#
# A neuron of any linear layer, the classifier's too, counts once if the adjective is among its [open concepts](../../glossary.md).
# Words are lemmas, and words of one meaning count as one ("rapid" for fast, quick and brisk).
# Below the figures, a table adds each word's heading in our list, and whether the language model says that it can describe a sound.
# The next takes captions of one origin alone: `measured` says how a clip sounds, `file` what an audio language model heard, `source` a small captioner's guess.

# %% mystnb={"figure": {"name": "adjectives-of-one", "caption": "Figure 3: the ten commonest adjectives of one network's neurons."}, "image": {"alt": "Bars: number of neurons for each of the ten commonest adjectives"}} tags=["hide-input"]
counts = {name: section_3_5.common_adjectives(run, name) for name in run.models}
al.figures.common_adjectives({run.models[0]: counts[run.models[0]]}, 10);

# %% mystnb={"figure": {"name": "adjectives-of-all", "caption": "Figure 9: the twenty commonest adjectives of each network's neurons."}, "image": {"alt": "A panel a network: number of neurons for each of its twenty commonest adjectives"}} tags=["hide-input"]
al.figures.common_adjectives(counts, 20);

# %% tags=["hide-input"]
al.tables.plain(section_3_5.common(run, counts), "Neurons that have each common adjective, and what two filters say of it", made)

# %% mystnb={"code_prompt_show": "By origin of the captions"} tags=["hide-cell"]
al.tables.plain(section_3_5.by_origin(run), "The commonest adjectives by origin of the captions, and how many neurons have each", made)

# %% [markdown]
# ## What each filter removes
#
# In the paper, rules drop stop words and a language model judges each distinct word left.
# Our filters take {glue:text}`rules_removed` of the adjectives from summaries by rules, which hold acoustic qualities alone.
# They take {glue:text}`llm_removed` from those that {glue:text}`answerer` wrote for {glue:text}`described` neurons, and {glue:text}`captions_removed` from the descriptions of clips, which module C never reads.
# *Stop words* are "common", "several" and the like, and *not acoustic* is what our list does not hold.
# *Negated* words follow "no", "not" or "without" by four words at most.

# %% tags=["hide-input"]
fates = {name: section_3_5.adjective_fates(read, run.tagger) for name, read in section_3_5.texts(run).items()}
filtered = section_3_5.filtered(fates)
al.tables.keep(**section_3_5.words(run, counts, filtered))
al.tables.plain(filtered, "What the filters make of every adjective", made)

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Whose adjectives.** A neuron can only be given words that captions use. Here most come from what is measured in the clip: level, pitch, brightness, repetition, onset, steadiness.
# - **The released code** turns every word with "high" in it into "high-quality". It misses negations in the first four words and drops words that merely contain a stop word. If the paper's words were made so, its "high-quality" is any "high" word, "high-pitched" too.
#
# The [page on summaries](3_summaries.ipynb) compares our list and {glue:text}`answerer` with judgement by hand.
# [Feature importance](4_4_feature_importance.ipynb) says what these words are worth to the network, and [Appendix C](appendix_c_acoustics.ipynb) whether they are true of the sounds.
#
# ## Try it yourself
#
# `papermill notebooks/3_5_adjectives.ipynb out.ipynb -p mode word_lists_by_substring` brings the released code's word lists back.
