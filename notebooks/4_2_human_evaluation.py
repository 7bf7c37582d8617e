# %% [markdown]
# # 4.2 What people say of descriptions
#
# {glue:text}`state`
# In Section 4.2 of the paper, its authors rated descriptions ({glue:text}`paper_design`) and wrote down themselves what the clips share {cite}`wu2024and`.
# **Its claim**: the calibrated summary (SUM) is rated {glue:text}`paper_sum:.2f` of 5, above DB's concept with {glue:text}`paper_db:.2f` and TAB's with {glue:text}`paper_tab:.2f`, and is closest to what people wrote.
# No rating is shipped with this book, and none is made up; this page makes a rating page for anyone's ears, and scores what it returns.

# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
concepts: str = "acoustic"  # concept set: acoustic | esc50 | classes (the probing set's) | a file with one concept a line
summariser: str = "rules"  # who writes the summaries: rules | llm
llm: str = ""  # the summariser's language model: smollm2 | transformers:MODEL | openai:MODEL | vllm:MODEL
per_block: int = 10  # neurons drawn from each block
seed: int = 0  # of the draw
ratings: str = ""  # folder of CSV files that raters returned; empty scores none
bertscore: str = "minilm"  # whose tokens BERTScore compares: minilm | roberta-large (needs the extra paper)

# %%
import andlib as al
from andlib import paths
from andlib.pages import section_4_2

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)

# %% [markdown]
# From each block {glue:text}`per_block` units are drawn, {glue:text}`drawn` in all, without those that give every clip the same activation.
# Raters judge three descriptions of each: **[TAB](../../glossary.md)** and **[DB](../../glossary.md)**, the best of {glue:text}`concepts` concepts, and **SUM**, all points of the calibrated summary.

# %% tags=["hide-input"]
neurons = section_4_2.sampled_neurons(run, per_block, seed)
shown = neurons.iloc[len(neurons) // 2]
unit = al.Unit.parse(shown["unit"])
u = al.unit_activations(run, unit.model)[unit.layer][:, unit.index]
al.cards.neuron_card(shown, run.probing_set, u, al.clip_descriptions(run), run.profile.seconds)

# %% [markdown]
# A method's rating is the mean over neurons of the mean over raters, of whom there are {glue:text}`raters` here.
# Cosine and BERTScore compare what raters wrote with the description they had not yet seen.
# Intervals draw raters and neurons anew; $\alpha$ is 1 where raters agree on every neuron and 0 where they agree as if by chance.

# %% tags=["hide-input"]
described = section_4_2.neuron_descriptions(run, neurons)
scores = section_4_2.score_ratings(run, neurons, ratings, bertscore)
al.tables.keep(**section_4_2.words(run, neurons, described, scores))
al.tables.table3(scores, made, run.profile.encoder)

# %% [markdown]
# Without people, this much can be said of the descriptions on {glue:text}`title`.
# TAB uses {glue:text}`distinct_tab` different concepts and DB {glue:text}`distinct_db`; both name the same one for {glue:text}`same:.0%` of neurons.
# Summaries have {glue:text}`points:.1f` points on average; {glue:text}`silent` neurons have none left after calibration, and nobody is asked about those.
#
# ## The rating page
#
# It is one HTML file that works from a disk, without a connection, on a computer or a phone.
# For each neuron a rater plays the clips and writes what most of them share.
# Only then come the descriptions, in random order and without the methods' names.
# "{glue:text}`question`" is the paper's question; 1 means strongly disagree, 5 strongly agree.
# Nothing is sent anywhere: progress stays in the browser, and a button saves a CSV file for the rater to send you.
# The file names its page, so that each rating is scored with the description that was rated.

# %% tags=["hide-input"]
file = paths.cache() / "rating_pages" / f"{run.profile.name}_{'_'.join(run.models)}.html"
print("In the cache folder: rating_pages/" + al.cards.rating_page(run, neurons, file).name)

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Raters.** The paper's are its authors, who knew the methods; it does not say how many they were, nor how far they agreed. Here agreement is printed.
# - **Concepts.** The set of Kumar et al. (2017) is not published under a licence that we know of; `acoustic` is a smaller set of our own, written in its manner.
# - **Measures.** The paper does not name the encoder of its cosine nor the network of its BERTScore. Here the cosine is that of {glue:text}`encoder`; BERTScore matches token vectors of MiniLM, without weights or rescaling, or, with `-p bertscore roberta-large`, is that of the package `bert-score`, rescaled. Numbers of different networks share a name, not a scale.
# - **Length.** A rater's one sentence is compared with many points or a concept of two words. Such measures favour text of like length, whatever it says.
#
# ## Try it yourself
#
# 1. `papermill notebooks/4_2_human_evaluation.ipynb out.ipynb -p per_block 3`
# 2. Open the file that it wrote, rate, save, and put the CSV files of all raters into one folder.
# 3. `papermill notebooks/4_2_human_evaluation.ipynb out.ipynb -p per_block 3 -p ratings path/to/returned`
