# %% [markdown]
# # 3.2 Who writes the summaries: rules beside a language model
#
# In the paper, Llama-2-chat-13B reads the descriptions of a neuron's five highest clips and writes what they share {cite}`wu2024and`.
# That is Section 3.2; Section 3.5 asks it, too, which adjectives can describe a sound.
# **Its premise** is that what the language model writes is so.
#
# Pages of this book that describe every neuron use a summariser without a language model: rules that count what captions say.
# This page puts a language model beside it, on the same neurons, and asks of both which of their claims the captions support.
# The language model here is {glue:text}`answerer`, a small one: its answers were given once and are kept with the book.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
llm: str = ""  # language model to ask: smollm2 | transformers:MODEL | openai:MODEL | vllm:MODEL; empty reads kept answers

# %%
import andlib as al
from andlib.pages import section_3_2

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)

# %% [markdown]
# ## What is asked
#
# The paper's prompt, then the captions: "{glue:text}`prompt`".
# Asked are all classifier neurons and {glue:text}`sampled` drawn from each network's blocks, once for the highest clips and once for the lowest.
# Neurons that share their five clips share one question.

# %% tags=["hide-input"]
al.tables.plain(section_3_2.asked(run), "Neurons that a language model was asked about", made, {"answered": ".0%"})

# %% [markdown]
# ## What the captions support
#
# A point is read for its claims: what sounds, what happens, how it sounds, by the words and synonyms that the rules know.
# A claim is *shared* if at least half of the neuron's five captions make it, and *held by one* if any does.
# By this measure the rules are right by construction, for it is how they write.

# %% tags=["hide-input"]
counted = section_3_2.supported(run)
heads = {"points": "points a neuron", "claims": "claims a neuron", "shared": "claims shared", "some": "held by one"}
formats = {heads[name]: ".1f" for name in ("points", "claims")} | {heads[name]: ".0%" for name in ("shared", "some")}
caption = "Support of claims by the captions they were made from"
al.tables.plain(counted.drop(columns="silent"), caption, made, formats, heads)

# %% [markdown]
# ## Three classifier neurons

# %% tags=["hide-input"]
al.tables.plain(section_3_2.three_neurons(run), "S_h by rules and by the language model", made)

# %% [markdown]
# ## What is read in them
#
# Module C takes words from either summary of the same block units: the adjectives of Figs 3 and 9, and the nouns by which OCP labels a unit with a class (Table 4).

# %% tags=["hide-input"]
shares = dict.fromkeys(["with adjective", "with noun", "names a class"], ".0%")
al.tables.plain(section_3_2.read_alike(run), "Words of the same block units", made, shares)

# %% [markdown]
# ## ICL, asked in other ways
#
# A small model writes freely what does not answer the question.
# It can be asked for less: each of the 50 names is put behind "Answer:", and the likeliest is taken, by the mean log probability of its tokens or by their sum; *gain* takes off what the name has where nothing is known of the clips, for some names are likely whatever is asked.
# And its worked examples can be about classes that the set does not have, lest it repeats theirs.
# Of thirty summaries of `mini`, a reader of the captions alone named the class, or none; *different* counts the names that were put first.

# %% tags=["hide-input"]
ways, measured = section_3_2.ways_to_ask()
al.tables.plain(ways, "Summaries of which ICL names the class that was named by hand", measured)

# %% [markdown]
# ## Which adjectives are acoustic
#
# The paper asks once for each distinct adjective; without a language model, a list of ours decides.
# Both are compared with {glue:text}`adjectives` adjectives judged by hand before either was looked at, and with each other on those of the language model's summaries; [which adjectives there are](3_5_adjectives.ipynb) has a page of its own.

# %% tags=["hide-input"]
filters = section_3_2.adjective_filters(run)
heads = {"yes_one": "one says yes", "yes_other": "other says yes"}
formats = dict.fromkeys(["agreement", *heads.values()], ".0%")
al.tables.plain(filters, "Agreement of filters of adjectives", run.made_by(), formats, heads)

# %% [markdown]
# ## What calibration removes
#
# Encoders find opposites alike: to ours, "gradual onset" and "sharp onset" in one mould of words have a cosine above 0.7.
# Points of rules are therefore compared by what they claim alone, and no point falls to another value of its own scale, such as *sharp* for *gradual*; the switch `calibration_loop` compares sentences as they stand, at 0.5, as the released code does.
# *By another property* is the share of removals whose closest point of $S_l$ makes other claims.
# Whether two points do was also judged by hand, for 100 removals by whole sentences: the rule agrees on {glue:text}`different_agrees`.

# %% tags=["hide-input"]
heads = {"different": "by another property"}
formats = dict.fromkeys(["removed", *heads.values()], ".1%")
al.tables.keep(**section_3_2.words(run, counted, filters))
al.tables.plain(section_3_2.removals(run), "Points that calibration removes, and why", made, formats, heads)

# %% [markdown]
# ## What this says
#
# - Of the small language model's claims, at least half of the captions make: {glue:text}`llm_shared`. At least one caption makes: {glue:text}`llm_some`. Much of what it writes repeats single captions instead of what they share.
# - It calls {glue:text}`llm_by_list` of the hand-labelled adjectives acoustic and agrees with the hand on {glue:text}`llm_agrees`; the list agrees on {glue:text}`list_agrees`.
# - This measures a model of 135 million parameters, a hundredth of the paper's. It says nothing of Llama-2-chat-13B; the same page asks any other model with `-p llm`.
#
# ## Try it yourself
#
# ```bash
# make llm     # what the small model needs
# papermill notebooks/3_summaries.ipynb out.ipynb -p llm smollm2
# OPENAI_BASE_URL=http://localhost:8000/v1 papermill notebooks/3_summaries.ipynb out.ipynb -p llm openai:meta-llama/Llama-2-13b-chat-hf
# ```
