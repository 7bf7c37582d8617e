# %% [markdown]
# # Planted neurons: middle layers with a known truth
#
# On {glue:text}`title`, {glue:text}`best_method` finds {glue:text}`best_share:.0%` of the planted truths that captions state, but {glue:text}`false:.0%` of neurons made of noise alone get [open concepts](../../glossary.md), too.
# Nobody knows what units in the middle of a network stand for, so Section 4.2 of the paper asks its authors' ears {cite}`wu2024and`.
# **Its claim** (Table 3): the calibrated summary is rated {glue:text}`paper_sum:.2f` of 5, above DB's concept with {glue:text}`paper_db:.2f` and TAB's with {glue:text}`paper_tab:.2f`.
# This page makes neurons of a known truth and counts how often each method finds it, through how much noise.

# %% tags=["parameters", "hide-input"]
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
encoder: str = "all-MiniLM-L6-v2"  # DB's text encoder: all-MiniLM-L6-v2 | all-MiniLM-L12-v2 | clip-vit-b-32 | folder or hub id
audio_encoder: str = ""  # TAB's encoders: embedded | whisper | laion_clap | folder or hub id of transformers' CLAP; empty takes the profile's
llm: str = ""  # ICL's language model: smollm2 | transformers:MODEL | openai:MODEL | vllm:MODEL; empty leaves ICL out

# %%
import andlib as al
from andlib.pages import planted_neurons as planted

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)
table = planted.planted_neurons(run)  # every planted neuron, described as a network's are
in_captions = planted.captioned(run)  # how often captions say each truth
every = planted.judged(table)  # which truths each method finds
rows = planted.by_best_function(every, in_captions)

# %% mystnb={"figure": {"name": "planted", "caption": "Planted truths found against the noise they are planted in, in deviations of the truth; at infinity, chance."}, "image": {"alt": "A panel for each kind of planted neuron: share found by TAB, DB, summary and open concepts, falling with noise to nearly nothing"}} tags=["hide-input"]
al.figures.planted(planted.curves(rows));

# %% [markdown]
# ## What each method finds
#
# TAB and DB are shown by the similarity function that finds most ({glue:text}`functions`).
# They choose from the concepts of a truth's own kind (*own*: {glue:text}`names` names, or {glue:text}`attributes` attributes) or, as they must where it is unknown, from both (*joint*).

# %% tags=["hide-input"]
al.tables.keep(**planted.words(run, table, rows, in_captions))
al.tables.plain(planted.with_and_without_noise(rows), "Planted truths found, in %: without noise (by chance)", made)

# %% [markdown]
# - **Stated single truths**, no noise: {glue:text}`every`. The best method finds {glue:text}`best_truths` truths in most layers; layers repeat truths, so the number of truths is what counts.
# - **Classes** among them: {glue:text}`classes`; **attributes**: {glue:text}`sounds`, and by the joint set {glue:text}`joint`.
# - **Found by no method** in most layers, though stated: {glue:text}`lost`. Captions vary their words ("loud", "strong"), and the summariser counts apart those that are not always synonyms. A summary may thus leave out a truth that most captions state.
# - **In no caption**: a method that reads captions cannot find what none says, and what it names instead looks no less sure. TAB hears the clip, but knows only what its training captions said.
# - **Polysemantic pairs**, both truths: a summary tells what at least half of K clips share, so it cannot name two classes that split them. DB and TAB see all clips, and which function they use decides (see the next table).
# - **Noise alone**: open concepts name something for {glue:text}`false:.0%` of such neurons, and a closed method always does. An explanation by itself is no evidence that there is anything to explain.
# - **Dead** neurons explained: {glue:text}`dead_named` of {glue:text}`dead`. No clip lies above their commonest activation, so none describes them.
#
# ## By similarity function
#
# Without noise: single truths that captions state, and both truths of conjunctions and pairs.

# %% mystnb={"code_prompt_show": "By similarity function"} tags=["hide-cell"]
functions = planted.by_function(every, in_captions)
caption = "Planted truths found without noise, by similarity function and concept set"
al.tables.plain(functions, caption, made, dict.fromkeys(functions.columns[2:], ".0%"))

# %% [markdown]
# ## Truths of sound, one by one
#
# *Said* is the share of captions that say it where it holds, *elsewhere* of all others; *found by* means in more than half of the layers without noise.
# Captions *state* a truth if half of them say it where it holds, as a summary tells what half of its captions share.
# They state {glue:text}`stated` of the {glue:text}`truths` single truths that they have words for.

# %% mystnb={"code_prompt_show": "Attributes planted, and who finds them"} tags=["hide-cell"]
sounds = planted.attributes_found(rows, in_captions)
caption = "Attributes planted, the words that say them, and who finds them"
al.tables.plain(sounds, caption, made, dict.fromkeys(["said", "elsewhere"], ".0%"), {"by": "found by"})

# %% [markdown]
# ## How it is measured
#
# A planted neuron's activation on a clip is $u = z + \sigma\varepsilon$: what is true of the clip, in standard deviations over clips, plus noise.
# $\sigma$ runs from 0, where chance only orders clips of equal truth, to infinity, where noise alone is left: each method's chance level.
# Each clip's class is known and, of synthesised sounds, the recipe; recordings are measured.
#
# - **class**: 1 for clips of one class, 0 for others; **dead**: 0 for every clip.
# - **pitch, level, brightness, repetition, noisiness**: 1 where the attribute holds. A graded one (level, brightness, noisiness) holds for the tenth of the clips it is truest of.
# - **in no caption**: the same for what no caption has a word for, such as the moment at which a clip's energy lies, or a synthesised room.
# - **conjunction**: a class, but only loud or only quiet clips of it (the lesser of two truths); **polysemantic pair**: two unrelated classes (the greater).
#
# Each layer holds {glue:text}`layer` such neurons, and each noise {glue:text}`seeds` layers drawn anew: {glue:text}`units` neurons in all.
# A closed method (DB, TAB, ICL) finds a truth that it ranks first, and two truths that are both among its three best; ICL {glue:text}`icl`.
# A summary and the open concepts find what they say, wherever they say it, by the synonyms in the table above.
#
# ## What differs from the paper, and why
#
# - **Planted is not trained.** Real units are graded, correlated and mix more than two things: what fails here will fail there, what works here need not.
# - **Circularity.** Measured captions state level, pitch and pace by rule, and recordings are measured by the same rule to plant them. A synthesised sound's attributes come from its recipe instead. TAB's embedded encoder was trained on synthesised sounds of the same classes, and hears no level: it sees each clip relative to its loudest moment.
# - **Best function.** It is chosen on the neurons it is judged on, among five.
# - **After the fact.** Words were fixed by meaning before any neuron was planted. The own concept set was added after the joint one had been seen to hide attributes. Graded attributes were first planted by degree, by which every seed chose the same five clips.
#
# ## Try it yourself
#
# `papermill notebooks/planted_neurons.ipynb out.ipynb -p k 10`; with ICL, a question a neuron, `-p llm openai:Qwen/Qwen3-8B`
