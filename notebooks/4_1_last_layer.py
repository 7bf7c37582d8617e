# %% [markdown]
# # 4.1 Naming the classes of the last layer
#
# The only units whose concept is known beforehand are those of the classifier: unit $i$ stands for class $i$.
# Section 4.1 of the paper uses them as an examination {cite}`wu2024and`.
# **Its claim**: describing the clips in words and comparing words with words (DB) names more classifier units than comparing sound with words (TAB) or asking an LLM (ICL): {glue:text}`paper_db:.0%` for AST, against {glue:text}`paper_tab:.0%` and {glue:text}`paper_icl:.0%`.
# And the better a network classifies, the more of its units are named: AST first, then BEATs-finetuned, then BEATs-frozen.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
precision: str = "float32"  # of networks: float32 | bf16
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
concepts: str = "esc50"  # concept set: esc50 | classes (the probing set's) | a file with one concept a line
encoder: str = "all-MiniLM-L6-v2"  # DB's text encoder: all-MiniLM-L6-v2 | all-MiniLM-L12-v2 | clip-vit-b-32 | folder or hub id
audio_encoder: str = ""  # TAB's encoders: embedded | whisper | laion_clap | folder or hub id of transformers' CLAP; empty takes the profile's
llm: str = ""  # ICL's language model: smollm2 | transformers:MODEL | openai:MODEL | vllm:MODEL; empty reads kept answers

# %%
import andlib as al
from andlib.pages import section_4_0, section_4_1

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)

# %% [markdown]
# ## What is measured
#
# The concept set $D_c$ holds {glue:text}`concepts` concepts, so chance is {glue:text}`chance_1:.0%` (top-5: {glue:text}`chance_5:.0%`). Three methods name a unit:
#
# - **DB** takes, for each concept $c_i$ and clip $a_j$, the cosine of the encoded concept and the encoded description $d_j$, $[v_{c_i}]_j = \tilde c_i \cdot \tilde d_j$. A similarity function compares $v_{c_i}$ with the unit's activations $u$ over all clips; the best concept names the unit.
# - **TAB** does the same with the encoded sound in place of the description: an encoder that puts sounds and words into one space, CLAP in the paper, here {glue:text}`tab`.
# - **ICL** hands the calibrated summary and the concept set to a language model with one or two worked examples (the paper's Table 5), and asks for one ranked list, so that its first five hold its first, or for "none". Here the model is {glue:text}`icl`.
#
# Top-1 and top-5 count the units whose own class comes first or among the first five; the cosine is that of the named and the true class.
#
# ## Table 2

# %% tags=["hide-input"]
conditions = {name: section_4_1.conditions_of(run, name) for name in run.models}
results = section_4_1.last_layer(run, conditions)
best = section_4_1.at_best(results)
al.tables.table2(best, made, run.rests_on, len(run.concepts))

# %% tags=["hide-input"]
sure = section_4_1.intervals(run, results)
al.tables.intervals(sure[sure["compared"].str.contains("DB|TAB|ICL")], made, run.rests_on["cosine"], "Table 2 and its differences")

# %% tags=["hide-input"]
accuracy = section_4_0.target_accuracy(run)
al.tables.keep(**section_4_1.words(run, best, sure, accuracy))
al.tables.controls(best, made)

# %% [markdown]
# On {glue:text}`title`, DB's best function puts the right class first for these shares of the {glue:text}`units` classifier units: {glue:text}`top1`.
# On the clips of fold 1 alone, which no network learnt from: {glue:text}`fold1`.
# That function is chosen in hindsight, as in the paper. *Foreseen* is the one that is best on folds 2–5, and names, on fold 1, {glue:text}`held_out`.
# That DB is the best of the three methods is **{glue:text}`t2_db_best`**; that the more accurate network is the better named, **{glue:text}`t2_follows_accuracy`**: [the ledger](claims.ipynb) has the numbers behind each verdict.
# [The clean comparison](training_strategies.ipynb) says how much of an order of networks is luck.
#
# - **TAB** puts it first for {glue:text}`tab_top1`; on fold 1 alone for {glue:text}`tab_fold1`; for an untrained network's units for {glue:text}`tab_untrained`.
# - **ICL**, with one worked example: {glue:text}`icl_one`. With two: {glue:text}`icl_two`. *By likelihood* the model writes nothing: the concept is taken that the summary makes likelier than no summary does, with one example {glue:text}`icl_likely`. The language model here is a hundredth of the size of the paper's, often repeats its example or the description, and is no measure of what ICL can do; [the page on summaries](3_summaries.ipynb) shows what it writes.
#
# The intervals draw the units anew, the same for both of a pair: they say how far a difference rests on which classes were asked.
# They are silent on other clips, captions and trainings, and where all units agree they have no width, which with few units is no certainty.
#
# The controls say what DB rests on:
#
# - With **captions shuffled** among clips remain: {glue:text}`shuffled`. Chance is {glue:text}`chance_1:.0%`, and with so few units one lucky hit is several points.
# - An **untrained network** (random weights throughout, its classifier included) gives {glue:text}`untrained`.
# - With every **word that names a class struck** from the descriptions remain: {glue:text}`struck`. What is lost was carried by class names in the captions, not by how sounds are described.
# - Captions of **one origin alone**, where there are several, stand in the columns *alone*: `measured` says how a clip sounds and never what it is.
# - A plain **string match** (which concept's words occur most often in the descriptions of the unit's five highest clips, no encoder at all) gives {glue:text}`string`.
#
# ## Table 7

# %% tags=["hide-input"]
al.tables.table7(results, made, run.rests_on)

# %% mystnb={"figure": {"name": "function-accuracy", "caption": "Top-1 accuracy of TAB and DB by similarity function. Diamonds are the paper's, on ESC-50."}, "image": {"alt": "For each network, bars of TAB's and DB's top-1 accuracy for five similarity functions: all clips, fold 1 alone, and shuffled captions, with the paper's values as diamonds and chance as a dotted line"}} tags=["hide-input"]
al.figures.function_accuracy(results, len(run.concepts));

# %% tags=["hide-input"]
functions = sure[~sure["compared"].str.contains("DB|TAB|ICL")]
al.tables.intervals(functions, made, run.rests_on["cosine"], "DB by similarity function, and cos_cubed less the others")

# %% [markdown]
# The paper's DB row for AST under soft_wpmi is {glue:text}`soft_top1:.0%`, {glue:text}`soft_top5:.0%` and {glue:text}`soft_cos:.2f`.
# The released code calls the function for one unit at a time; its mean over units is then the unit itself, every score is 0 and the first concept wins for every unit.
# One of 50 classes is then right, and five of 50 are among the first five.
# `-p mode db_one_unit_at_a_time` proves it.
# That cos_cubed is the best function for AST with DB is **{glue:text}`t7_cubed_best_db`** here.
#
# ## Unit by unit
#
# What DB's best function calls each unit, on all clips; a tick where it is right. Functions: {glue:text}`best`.

# %% tags=["hide-input"]
named = section_4_1.named_units(run, results)
al.tables.named(named, made)

# %% [markdown]
# A method cannot name what [the network has not learnt](4_0_target_networks.ipynb), nor, one should think, what [the captions do not say](2_probing_set.ipynb).
# Of the classes that captions name in fewer than half of their clips, DB puts {glue:text}`rarely_said` first; of the others, {glue:text}`often_said`.

# %% mystnb={"figure": {"name": "said-and-named", "caption": "Each class: how often captions of its clips name it, and at which rank of the concept set DB's best function has it. Classes that are not first are labelled."}, "image": {"alt": "Scatter plot: share of a class's clips whose captions name it, against the rank of the class by DB, a colour a network"}} tags=["hide-input"]
al.tables.keep(**section_4_1.said_in_words(named))
al.figures.said_and_named(named);

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Encoders.** The paper encodes with CLIP's text tower (ViT-B/32) for DB and with LAION-CLAP for TAB. Each row names what is used here; the cosine is measured with the sentence encoder in its header, so Table 2's cosines of the paper and of this page share a name, not a scale. `-p encoder clip-vit-b-32 -p audio_encoder laion_clap` takes the paper's.
# - **TAB's encoder.** On `mini` it was trained on synthesised sounds of other seeds, captioned with their true class; on `esc50` it is a map from Whisper's states to the sentence encoder, learnt from captions of folds 2–5. Either has met every class, as LAION-CLAP has met every class of ESC-50.
# - **ICL.** The paper asks for one class and, apart from that, for five, and takes the nearest class for an answer that names none. Here one list gives both, and naming none is wrong. `-p mode icl_uncalibrated` lets it read the uncalibrated summary and snaps its answers, as released.
# - **Classes.** $D_c$ is by default the paper's, the names of ESC-50, but only the classes of this probing set can be right.
# - **All clips.** The paper's accuracy uses all 2000 clips, of which the network was trained on 1600. Fold 1 alone stands beside it.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/4_1_last_layer.ipynb out.ipynb -p model beats_frozen -p mode released
# papermill notebooks/4_1_last_layer.ipynb out.ipynb -p llm openai:Qwen/Qwen3-8B     # a server at OPENAI_BASE_URL
# ```
