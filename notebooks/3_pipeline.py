# %% [markdown]
# # 3 The pipeline, on one neuron
#
# Taken through the pipeline, {glue:text}`unit` gets these adjectives from our rules: *{glue:text}`adjectives`*. DB names it *{glue:text}`named`*.
# Figures 1 and 2 of the paper draw the method; Figure 7 takes a neuron of the first block's output through it {cite}`wu2024and`.
# **Its claim**: descriptions get the sounds right, and the language model finds what they share.
# Calibration then removes a point, "no background noise", that the lowest clips have as well.
# This page follows another [neuron](../../glossary.md) through every module; [the front page](../../index.md) draws the whole.

# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned
unit: str = ""  # layer/number, counted from 0, like block0.output/17; empty takes one that is well explained and loses a point to calibration
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
# All {glue:text}`clips` clips are played, and the five with the highest and the five with the lowest [activation](../../glossary.md) are kept, as in the paper.
# The activation $u_i$ on clip $i$ is the layer's output before any nonlinearity, pooled over tokens ({glue:text}`pooling`).

# %% mystnb={"figure": {"name": "pipeline-activations", "caption": "Where the highest and lowest clips lie among all clips."}, "image": {"alt": "Histogram of the neuron's activation over all clips, with ticks at its highest and lowest clips"}} tags=["hide-input"]
highest, lowest = neurons["rules"]["highest"], neurons["rules"]["lowest"]
u = al.unit_activations(run, address.model)[address.layer][:, address.index]
al.figures.activation_histogram(u, highest, lowest, address.id);

# %% [markdown]
# ## What is said of its clips
#
# First come the highest clips, then the lowest; the class in bold is for the reader, and no description was made from it.
# Each sentence has its origin in brackets: `file` (an audio language model), `source` (a small captioner, which errs) or `measured` (level, pitch, onset and the like, from the waveform).
# The paper asks an audio language model, SALMONN: "{glue:text}`caption_prompt`"

# %% tags=["hide-input"]
clips, texts = section_3.captioned(run, u, [*highest, *lowest])
al.cards.gallery(run.probing_set, clips, texts, run.profile.seconds)

# %% [markdown]
# ## What the descriptions share: $S_h$ and $S_l$
#
# $S_h$ is the [summary](../../glossary.md) of the highest clips' descriptions, $S_l$ that of the lowest's.
# Both are written for every neuron by rules that count what descriptions claim, and for some by {glue:text}`answerer`.
# {glue:text}`answered`
# The paper asks Llama-2-chat-13B "{glue:text}`summary_prompt`" and removes greetings by rules.

# %% mystnb={"code_prompt_show": "Both summaries, point by point"} tags=["hide-cell"]
al.tables.plain(section_3.points(neurons), f"Summaries of {address.id}", made)

# %% [markdown]
# ## Module B: calibration
#
# A point of $S_h$ that $S_l$ makes as well says what all clips have, not what the neuron responds to.
# The paper removes each point of $S_h$ whose sentence vector has a cosine above $t$ = {glue:text}`threshold` with any point of $S_l$, which itself loses nothing.
# What stays is the calibrated summary $S_h^c$.
# {glue:text}`removed`

# %% tags=["hide-input"]
al.tables.plain(section_3.calibration(neurons), f"Figure 7 for {address.id}: calibration", made, {"cosine": ".3f"})

# %% [markdown]
# ## Module C: open concepts
#
# The words of $S_h^c$ are tagged by part of speech, and rules drop adjectives that carry no concept and what is negated.
# Then the paper asks the language model of each distinct adjective whether it can describe a sound; for our rules, a list of ours decides.
# Nouns, verbs and prepositions, which Section 4.4 of the paper counts, pass rules alone; two words that name one thing are one noun.

# %% mystnb={"code_prompt_show": "Words before and after each filter"} tags=["hide-cell"]
al.tables.plain(section_3.words_kept(run, neurons), f"Words of the calibrated summary of {address.id}", made)

# %% [markdown]
# ## Module A: closed concepts by TAB and DB
#
# Module A compares the neuron's activations on all clips with how well each of {glue:text}`concepts` concepts fits their descriptions (DB, the paper's proposal) or sounds (TAB, its baseline).
# {glue:text}`disagreement`
# Nobody trained a block's neuron for a concept, so no name counts as wrong; [the last layer](4_1_last_layer.ipynb) is where the answer is known.

# %% tags=["hide-input"]
closed = section_4_1.closed_concepts(run, address)
al.tables.plain(closed, f"Closed concepts of {address.id}", made)

# %% [markdown]
# ## Module A: ICL, and Table 5
#
# ICL gives the concept set, one or two worked examples and $S_h^c$ to the language model, which is to name the concept.
# This is our question with two examples, for {glue:text}`class_unit`; turns marked *the paper* are quoted from its Table 5, slips included.

# %% mystnb={"code_prompt_show": "Table 5: the whole question"} tags=["hide-cell"]
asked = section_3.class_unit(run)
chats = section_3.questions(run, asked)
al.tables.plain(prompts.lines(chats[2]), "Table 5. What ICL asks the language model", made)

# %% mystnb={"code_prompt_show": "What the language model answers"} tags=["hide-cell"]
al.tables.keep(**section_3.words(run, address, neurons, closed))
al.tables.plain(section_3.answers(run, chats), f"What {run.answerer} answers for {asked.id}", made)

# %% [markdown]
# We ask once and read the line that begins with "Answer:", or the whole text where there is none; a concept counts only if it is named.
# An answer that stops in mid-sentence was cut after {glue:text}`most` tokens.
#
# ## What differs from the paper, and why
#
# - **The neuron.** The paper does not say which unit its Figure 7 shows. Ours, of another network, is {glue:text}`chosen`.
# - **The sentence encoder.** The paper's is all-MiniLM-L12-v2, ours is {glue:text}`encoder`. Vectors compare wording as much as meaning, so of our rules' points only what they claim is compared ("loud barking dog"); [the page on summaries](3_summaries.ipynb) says what is removed, and for what.
# - **The ranked list.** Table 5 asks for one concept. The released code asks again for five, which need not hold the one, and takes the nearest concept where an answer names none. Our request for a ranked line gives both; of an example's answer, only the first concept is the paper's.
# - **The language model.** {glue:text}`answerer` is a hundredth of Llama-2-chat-13B in size. It often repeats a single description, or in ICL the names of a worked example; [Table 2](4_1_last_layer.ipynb) says how often it is right.
#
# ## Try it yourself
#
# - `papermill notebooks/3_pipeline.ipynb out.ipynb -p model beats_finetuned -p class_unit 3`
# - `papermill notebooks/3_pipeline.ipynb out.ipynb -p unit block3.intermediate/5 -p llm smollm2` asks the small model, after `make llm`.
