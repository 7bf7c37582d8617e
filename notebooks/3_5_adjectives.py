# %% [markdown]
# # 3.5 Open concepts: which adjectives neurons have
#
# Module C reads the adjectives of every calibrated summary and keeps those that say how something sounds: rules drop stop words, a language model judges each distinct word left {cite}`wu2024and`.
# **Its claim** (Figs 3 and 9) is a picture: a few common words, "loud" and "high-pitched" among them, head the list of every network.

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
# ## What is counted
#
# Every neuron of every linear layer, the classifier's too, that has the adjective in its open concepts, once however often its summary says it.
# The words are lemmas, and words of one meaning are told as one ("rapid" for fast, quick and brisk).
#
# ## Figure 3

# %% mystnb={"figure": {"name": "adjectives-of-one", "caption": "Figure 3: the ten commonest adjectives of one network's neurons."}, "image": {"alt": "Bars: number of neurons for each of the ten commonest adjectives"}} tags=["hide-input"]
counts = {name: section_3_5.common_adjectives(run, name) for name in run.models}
al.figures.common_adjectives({run.models[0]: counts[run.models[0]]}, 10);

# %% [markdown]
# ## Figure 9

# %% mystnb={"figure": {"name": "adjectives-of-all", "caption": "Figure 9: the twenty commonest adjectives of each network's neurons."}, "image": {"alt": "A panel a network: number of neurons for each of its twenty commonest adjectives"}} tags=["hide-input"]
al.figures.common_adjectives(counts, 20);

# %% [markdown]
# The same in numbers, for every word that is among a network's twenty; beside it what our list has the word for, and what the language model, asked whether it can describe a sound, answered.

# %% tags=["hide-input"]
al.tables.plain(section_3_5.common(run, counts), "Neurons that have each common adjective, and what two filters say of it", made)

# %% [markdown]
# Captions of one origin alone give other words: those of origin `measured` say how a clip sounds, `file` what an audio language model heard, `source` what our ear takes it for.

# %% tags=["hide-input"]
al.tables.plain(section_3_5.by_origin(run), "The commonest adjectives by origin of the captions, and how many neurons have each", made)

# %% [markdown]
# ## What each filter removes
#
# The filters read three kinds of text: the calibrated summaries by rules of all neurons, those by the language model of the neurons it was asked about, and the descriptions of the clips themselves, which module C never reads.
# *Stop words* are "common", "several" and the like; *negated* words follow "no", "not" or "without" by four words at most; *not acoustic* are words that our list does not hold.

# %% tags=["hide-input"]
fates = {name: section_3_5.adjective_fates(read, run.tagger) for name, read in section_3_5.texts(run).items()}
filtered = section_3_5.filtered(fates)
al.tables.keep(**section_3_5.words(run, counts, filtered))
al.tables.plain(filtered, "What the filters make of every adjective", made)

# %% [markdown]
# ## Compared with the paper
#
# On {glue:text}`title` the commonest adjectives of {glue:text}`network` are {glue:text}`first`; {glue:text}`shared` words are among the twenty of every network.
# The paper names "loud" and "high-pitched" as common to all its networks. By the rule that both are among the twenty of every network, this {glue:text}`claim` here: "loud" is among the twenty of {glue:text}`loud`, "high-pitched" of {glue:text}`high`.
#
# ## What differs, and why
#
# - **Whose adjectives.** A neuron can only be given words that captions use. Here most come from what is measured in the clip: level, pitch, brightness, repetition, onset, steadiness.
# - **Filters.** Our rules write acoustic qualities alone, so there is little for the filters to remove: {glue:text}`rules_removed` of the adjectives. Of those that {glue:text}`answerer` wrote for {glue:text}`described` neurons they remove {glue:text}`llm_removed`, of those in the descriptions {glue:text}`captions_removed`.
# - **Verdicts.** How often our list and {glue:text}`answerer` agree, with each other and with judgement by hand, is on the [page on summaries](3_summaries.ipynb).
# - **The released code** turns every word with "high" in it into "high-quality", misses negations in the first four words and drops words that merely contain a stop word: `-p mode word_lists_by_substring`. If the paper's words were made so, its "high-quality" is any "high" word, "high-pitched" too.
#
# ## Try it yourself
#
# `papermill notebooks/3_5_adjectives.ipynb out.ipynb -p mode word_lists_by_substring`
#
# What these words are worth to the network: [feature importance](4_4_feature_importance.ipynb). Whether they are true of the sounds: [Appendix C](appendix_c_acoustics.ipynb).
