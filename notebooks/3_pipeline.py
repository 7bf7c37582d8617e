# %% [markdown]
# # 3 The pipeline, on one neuron
#
# Figures 1 and 2 of the paper draw the method; Figure 7 takes a neuron of the first block's output through it, and Table 5 prints what the language model is asked {cite}`wu2024and`.
# **What Figure 7 shows**: descriptions get the sounds right, the language model finds what they share, and calibration removes a point, "no background noise", that the lowest clips have as well.
#
# This page walks one neuron through every module, a section each, with the sounds to listen to.
# The drawing of the whole is on [the front page](../../index.md).

# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned
unit: str = ""  # layer/number, counted from 0, like block0.output/17; empty takes the first one asked about in block 0
class_unit: int = 0  # the classifier unit, counted from 0, of Table 5's question
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
concepts: str = "esc50"  # concept set: esc50 | classes (the probing set's) | acoustic | a file with one concept a line
tagger: str = "hanta"  # who tells adjectives and nouns: hanta | nltk (the paper's, after a download)
llm: str = ""  # language model to ask: smollm2 | transformers:MODEL | openai:MODEL | vllm:MODEL; empty reads kept answers

# %%
import andlib as al
from andlib.llms import prompts
from andlib.pages import section_3, section_4_1

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)
address = section_3.neuron_of_the_page(run)
neurons = section_3.described(run, address)

# %% [markdown]
# ## The neuron and its activations
#
# The paper plays all of the probing set to the network and keeps, for each neuron, the clips with the five highest and the five lowest activations.
# So do we: {glue:text}`unit` is {glue:text}`chosen`, its activation $u_i$ on clip $i$ is the layer's output before any nonlinearity, pooled over tokens ({glue:text}`pooling`), and {glue:text}`clips` clips were played.

# %% mystnb={"figure": {"name": "pipeline-activations", "caption": "Where the highest and lowest clips lie among all clips."}, "image": {"alt": "Histogram of the neuron's activation over all clips, with ticks at its highest and lowest clips"}} tags=["hide-input"]
highest, lowest = neurons["rules"]["highest"], neurons["rules"]["lowest"]
u = al.unit_activations(run, address.model)[address.layer][:, address.index]
al.figures.activation_histogram(u, highest, lowest, address.id);

# %% [markdown]
# ## What is said of its clips
#
# In the paper an audio language model, SALMONN, is asked: "{glue:text}`caption_prompt`"
# Here every description joins sentences of the origins in brackets: `file` (an audio language model's), `source` (a small captioner names the sound, and errs) and `measured` (level, pitch, onset and the like, from the waveform).
# The class in bold is for the reader; no description was made from it.
#
# The highest clips, and after them the lowest:

# %% tags=["hide-input"]
clips, texts = section_3.captioned(run, u, [*highest, *lowest])
al.cards.gallery(run.probing_set, clips, texts, run.profile.seconds)

# %% [markdown]
# ## What the descriptions share: $S_h$ and $S_l$
#
# In the paper, Llama-2-chat-13B writes both summaries: $S_h$ of the highest clips' descriptions, $S_l$ of the lowest's.
# Its request: "{glue:text}`summary_prompt`"
# Greetings are removed by rules.
#
# Here two write: rules that count what descriptions claim, for every neuron, and {glue:text}`answerer`, for neurons it was asked about.
# {glue:text}`answered`

# %% tags=["hide-input"]
al.tables.plain(section_3.points(neurons), f"Summaries of {address.id}", made)

# %% [markdown]
# ## Module B: calibration
#
# A point of $S_h$ that $S_l$ makes as well says what all clips have, not what the neuron responds to.
# The paper removes each point whose sentence vector has a cosine above $t$ = {glue:text}`threshold` with any point of $S_l$; $S_l$ loses nothing.
# What stays is the calibrated summary $S_h^c$.
# The paper's sentence encoder is all-MiniLM-L12-v2, ours is {glue:text}`encoder`.
# It compares what points of our rules claim ("loud barking dog"), not their mould, and whole points of a language model; no point falls to another value of its own scale.

# %% tags=["hide-input"]
al.tables.plain(section_3.calibration(neurons), f"Figure 7 for {address.id}: calibration", made, {"cosine": ".3f"})

# %% [markdown]
# {glue:text}`removed`
# Sentence vectors compare wording as much as meaning: sentences built alike come closer to each other than what they speak of. [The page on summaries](3_summaries.ipynb) counts what is removed, and for what.
#
# ## Module C: open concepts
#
# The words of $S_h^c$ are tagged by part of speech.
# Adjectives pass two filters: rules drop words that carry no concept and what is negated; then, in the paper, the language model is asked of each distinct adjective whether it can describe a sound, and for our rules a list of ours decides.
# Nouns, verbs and prepositions, which Section 4.4 of the paper counts, pass rules alone; two words that name one thing are one noun.

# %% tags=["hide-input"]
al.tables.plain(section_3.words_kept(run, neurons), f"Words of the calibrated summary of {address.id}", made)

# %% [markdown]
# ## Module A: closed concepts by TAB and DB
#
# Module A needs no summary: over all {glue:text}`clips` clips, it compares the neuron's activations with how well each of {glue:text}`concepts` concepts fits.
# DB, the paper's proposal, asks the clips' descriptions; TAB, its baseline, asks their sounds.
# The first three by each similarity function of [Table 7](4_1_last_layer.ipynb):

# %% tags=["hide-input"]
closed = section_4_1.closed_concepts(run, address)
al.tables.plain(closed, f"Closed concepts of {address.id}", made)

# %% [markdown]
# {glue:text}`disagreement`
# A neuron of a block has no concept that anyone trained it for, so none of these can be called wrong; that is asked [where the answer is known](4_1_last_layer.ipynb).
#
# ## Module A: ICL, and Table 5
#
# ICL gives the concept set, one or two worked examples and $S_h^c$ to the language model, which is to name the concept.
# Below is our whole question with two examples, for {glue:text}`class_unit`, turn by turn as it is sent; what stands in "from" as *the paper* is quoted from its Table 5, slips included.

# %% tags=["hide-input"]
asked = section_3.class_unit(run)
chats = section_3.questions(run, asked)
al.tables.plain(prompts.lines(chats[2]), "Table 5. What ICL asks the language model", made)

# %% tags=["hide-input"]
al.tables.keep(**section_3.words(run, address, neurons, closed))
al.tables.plain(section_3.answers(run, chats), f"What {run.answerer} answers for {asked.id}", made)

# %% [markdown]
# In an example's answer, the concept that stands first is the paper's; the names behind it are ours.
# So is the request for a ranked line: Table 5 asks for one concept, and the released code asks again for five, so that its five need not hold its one, and takes the nearest concept where the answer names none.
# We ask once and read the line that begins with "Answer:", or the whole text where there is none; a concept counts only if it is named.
# An answer that stops in mid-sentence was cut after {glue:text}`most` tokens.
#
# ## What differs from the paper, and why
#
# - **The neuron.** The paper does not say which unit its Figure 7 shows, so ours is another one, of another network: drawn, not picked.
# - **The language model.** {glue:text}`answerer` is a hundredth of Llama-2-chat-13B in size. It often repeats a single description in place of what five share, and in ICL the names of a worked example; [Table 2](4_1_last_layer.ipynb) says how often it is right.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/3_pipeline.ipynb out.ipynb -p model beats_finetuned -p class_unit 3
# papermill notebooks/3_pipeline.ipynb out.ipynb -p unit block3.intermediate/5 -p llm smollm2    # asks it: after make llm
# ```
