# %% [markdown]
# # How good are the descriptions?
#
# On recordings that no description was made from, this method predicts activations best (mean correlation over units): {glue:text}`best`.
# The paper's people rate calibrated [summaries](../../glossary.md) above the concepts of DB and TAB, for a few neurons of each block ([Table 3](4_2_human_evaluation.ipynb)) {cite}`wu2024and`.
# This page goes beyond it and scores every explanation of every unit without people ({glue:text}`scored`).
# As predictions, summaries take these places among the methods: {glue:text}`summaries`.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
encoder: str = "all-MiniLM-L6-v2"  # DB's text encoder: all-MiniLM-L6-v2 | all-MiniLM-L12-v2 | clip-vit-b-32 | folder or hub id
audio_encoder: str = ""  # TAB's encoders: embedded | whisper | laion_clap | folder or hub id of transformers' CLAP; empty takes the profile's
summariser: str = "rules"  # who writes the summaries: rules | llm
llm: str = ""  # the summariser's language model: transformers:MODEL | openai:MODEL | vllm:MODEL

# %%
import andlib as al
from andlib.pages import scoring

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)

# %% [markdown]
# ## Scores
#
# **r** is the correlation of a unit's activation with how well its explanation matches each clip, by the clip's description (*captions*) or by its *sound*.
# *Shuffled* gives each unit another unit's explanation; *commonest* gives all of them the one that most units have. *Explained* is the share of units that have an explanation at all.

# %% mystnb={"figure": {"name": "scores-over-units", "caption": "How r of every method spreads over units (above, with its mean), and r of other units' explanations (below); a row a network, a panel a way to match."}, "image": {"alt": "Pairs of half violins, one a method: the distribution of correlation over units, above that for shuffled explanations, which is centred on zero"}} tags=["hide-input"]
cards, scores = (scoring.of_models(run, by) for by in (scoring.scorecard, scoring.score_neurons))
al.figures.scores_over_units(scores);

# %% mystnb={"code_prompt_show": "Scores, mean over units"} tags=["hide-cell"]
al.tables.scorecard(cards[cards["layer"] == "all"], made)

# %% [markdown]
# DB and TAB choose a concept by the activation of every clip of folds 2–5, while a summary reads ten clips. The encoder reads all points of a summary, with the count of clips that each of them states.
# Against clips that sound alike, detection (balanced accuracy) by the best method goes from {glue:text}`easy` to {glue:text}`hard`.
# A small mean can hide well explained units: by sound, the interval of r lies above 0 for these shares of units: {glue:text}`above`.
# [The atlas](../../atlas.md) has every unit with its score, the best and the worst explained first or last.
#
# ## Is it reliable?
#
# *Two halves of clips* is the rank correlation, over units, of r on two halves of fold 1's recordings.
# For *two halves of everything* the explanation, too, is made twice, from folds 2–3 and folds 4–5.
# *Same explanation* is the share of phrases that these two have in common (for DB and TAB, how often the concept is the same).

# %% mystnb={"code_prompt_show": "Reliability over other recordings"} tags=["hide-cell"]
heads = {"halves": "two halves of clips", "retest": "two halves of everything", "same": "same explanation", "chance": "by chance"}
formats = {"two halves of clips": ".2f", "two halves of everything": ".2f", "same explanation": ".0%", "by chance": ".0%"}
al.tables.plain(scoring.of_models(run, scoring.reliability), "Reliability over other recordings", made, formats, heads)

# %% [markdown]
# ## Without any explanation
#
# SemanticLens {cite}`dreyer2025semanticlens` looks at the exemplars alone, here the sounds of a unit's {glue:text}`k` highest clips under TAB's encoder.
# *Clarity* is the mean cosine of two of them, and *polysemanticity* 1 − cosine of the centres of two groups of them.
# *Redundancy* is the largest cosine with another unit of the layer. *With r* is Spearman's correlation with r of DB by captions, over units.

# %% mystnb={"code_prompt_show": "What exemplars say of units, by layer"} tags=["hide-cell"]
shape = scoring.shape_by_layer(scores)
al.tables.keep(**scoring.words(run, cards, scores))
al.tables.plain(shape, "What exemplars say of units, by layer", run.made_by(), dict.fromkeys(scoring.SHAPE, ".2f"))

# %% [markdown]
# ## How it is measured
#
# Units are described from folds 2–5 and scored on fold 1, without the clips whose source recording described the unit.
# An explanation matches a clip by the mean cosine of its phrases and the clip: by captions under the sentence encoder, by sound under TAB's encoders.
# The first is independent of what TAB hears; the second reads no caption, so it is independent of those that DB and the summaries are made from.
#
# - **r** is Pearson's correlation, the score that simulated activations get in {cite:t}`bills2023neurons`.
# - **AUPRC**: the match ranks the clips, and those of the highest {glue:text}`share:.0%` of activations should come first. *Lift* is how many times better it is than that share, its base rate.
# - **F1, IoU**: of the clips of highest match and of highest activation, {glue:text}`share:.0%` each.
# - **Detection**: balanced accuracy of a judge that is shown active clips and as many others, and says yes to the half that matches better {cite}`paulo2024automatically`; chance is 50 %. *Hard*: the others are the inactive clips nearest in sound to an active one. They are no random clips, so compare with the shuffled explanations.
# - **AUROC** is CoSy's AUC {cite}`kopf2024cosy`, with recordings in the place of generated ones.
# - **95 %, p**: the interval of r draws source recordings anew within each class, 1000 times; with one source a class there is no interval and no p. p is against shuffled explanations on the same draws, corrected for the rows of one network (Holm).
#
# A measure ought to fall when an ideal neuron's explanation loses half of its labels, and when it gains as many wrong ones {cite}`oikarinen2025evaluating`. r, AUPRC, F1 and IoU do so at every frequency of activation from 0.1 to 50 % (`tests/test_measures.py` draws them).
# AUROC, detection and recall hardly see wrong labels where few clips are active, and precision does not see missing ones.
#
# ## What differs from the sources, and why
#
# - **The judge.** Bills et al. and Paulo et al. ask a large language model. Here an encoder's cosine judges, the same for every unit and free to rerun. It understands less, and finds opposites like *faint* and *loud* alike. A low score blames explanation and matcher together, so read it beside the shuffled row and compare methods within one matcher.
# - **Who hears.** The embedded audio encoder learnt from synthesised sounds of other seeds with their true names. It hears those of `mini` well and real recordings less well. It favours TAB, which chose by it, as captions favour DB: the other matcher is the stricter test of either.
# - **Small sets.** Average precision of few clips is above its base rate even for shuffled explanations, so compare lift with that of shuffled explanations.
# - **Intervals.** For r, and a unit's detection, they draw recordings. Those of other means, in the results, draw units, which hear the same clips and are not independent.
#
# ## Try it yourself
#
# `papermill notebooks/scoring.ipynb out.ipynb -p model beats_frozen -p audio_encoder laion_clap`
