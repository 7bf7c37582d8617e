# %% [markdown]
# # 3.2 Who writes the summaries: rules beside a language model
#
# At least half of a neuron's captions support {glue:text}`shared:.0%` of what {glue:text}`answerer` claims of it, and at least one supports {glue:text}`some:.0%` (means over networks).
# In the paper, Llama-2-chat-13B writes what the descriptions of a neuron's five highest clips share, and judges which adjectives can describe a sound (Sections 3.2 and 3.5) {cite}`wu2024and`.
# **Its premise** is that what the language model writes is so.
# The other pages of this book use rules that count what [captions](../../glossary.md) say. Here both writers describe the same neurons.

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
# ## What the captions support

# %% tags=["hide-input"]
counted = section_3_2.supported(run)
heads = {"points": "points a neuron", "claims": "claims a neuron", "shared": "claims shared", "some": "held by one"}
formats = {heads[name]: ".1f" for name in ("points", "claims")} | {heads[name]: ".0%" for name in ("shared", "some")}
caption = "Support of claims by the captions they were made from"
al.tables.plain(counted.drop(columns="silent"), caption, made, formats, heads)

# %% [markdown]
# A point is read for its claims: what sounds, what happens, how it sounds, by the words and synonyms that the rules know.
# A claim is *shared* if at least half of the neuron's captions make it, and *held by one* if any does.
# By this measure the rules are right by construction; the language model often repeats single captions, as for the neurons below.
# From either summary, module C takes the adjectives of Figs 3 and 9 and the nouns by which OCP labels a unit with a class (Table 4).

# %% tags=["hide-input"]
al.tables.plain(section_3_2.three_neurons(run), "S_h by rules and by the language model", made)

# %% tags=["hide-input"]
shares = dict.fromkeys(["with adjective", "with noun", "names a class"], ".0%")
al.tables.plain(section_3_2.read_alike(run), "Words of the same block units", made, shares)

# %% [markdown]
# ## Which adjectives are acoustic
#
# {glue:text}`answerer` calls {glue:text}`llm_by_list` of {glue:text}`adjectives` adjectives acoustic and agrees with judgement by hand on {glue:text}`llm_agrees`; our list agrees on {glue:text}`list_agrees`.
# Words were judged by hand before either was seen; the last row compares both on [the adjectives](3_5_adjectives.ipynb) of the language model's summaries.

# %% tags=["hide-input"]
filters = section_3_2.adjective_filters(run)
heads = {"yes_one": "one says yes", "yes_other": "other says yes"}
formats = dict.fromkeys(["agreement", *heads.values()], ".0%")
al.tables.plain(filters, "Agreement of filters of adjectives", run.made_by(), formats, heads)

# %% [markdown]
# ## What calibration removes
#
# Encoders find opposites alike: to ours, "gradual onset" and "sharp onset" in one mould of words have a cosine above 0.7.
# Rules' points are thus compared by their claims alone, a language model's whole, and none is removed for another value of the same property.
# The switch `calibration_loop` compares sentences as they stand, at 0.5, as the released code does.
# *By another property* is the share of removals whose closest point of $S_l$ makes other claims.
# The rule for this agrees with judgement by hand, on 100 removals by whole sentences, in these shares: {glue:text}`different_agrees`.

# %% tags=["hide-input"]
heads = {"different": "by another property"}
formats = dict.fromkeys(["removed", *heads.values()], ".1%")
al.tables.keep(**section_3_2.words(run, counted, filters))
al.tables.plain(section_3_2.removals(run), "Points that calibration removes, and why", made, formats, heads)

# %% [markdown]
# ## ICL, asked in other ways
#
# A small model's free text often does not answer the question.
# Instead, each of the 50 names can be put behind "Answer:" and the likeliest taken, by the mean log probability of its tokens or by their sum.
# Some names are always likely, so *gain* subtracts the name's score when nothing is known of the clips.
# Examples can be of classes outside the set, lest the model answer with theirs.
# A reader of the captions alone named a class, or none, for thirty summaries of `mini`; *different* counts the names put first.

# %% mystnb={"code_prompt_show": "Ways to ask, by what they name"} tags=["hide-cell"]
ways, measured = section_3_2.ways_to_ask()
al.tables.plain(ways, "Summaries of which ICL names the class that was named by hand", measured)

# %% [markdown]
# ## How the language model was asked
#
# It is asked about all classifier neurons and {glue:text}`sampled` from each network's blocks, once for the highest clips and once for the lowest.
# Neurons that share their clips share a question: the paper's prompt, "{glue:text}`prompt`", and the captions.

# %% tags=["hide-input"]
al.tables.plain(section_3_2.asked(run), "Neurons that a language model was asked about", made, {"answered": ".0%"})

# %% [markdown]
# ## What differs from the paper, and why
#
# SmolLM2 has 135 million parameters, a hundredth of the paper's model: what it does says nothing of Llama-2-chat-13B.
# Its answers were given once and are kept with the book; `-p llm` asks any other model.
#
# ## Try it yourself
#
# - `papermill notebooks/3_summaries.ipynb out.ipynb -p llm smollm2` asks the small model, after `make llm`.
# - `OPENAI_BASE_URL=http://localhost:8000/v1 papermill notebooks/3_summaries.ipynb out.ipynb -p llm openai:meta-llama/Llama-2-13b-chat-hf` asks a server.
