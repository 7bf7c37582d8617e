# %% [markdown]
# # How good are the descriptions?
#
# The paper asks people, for a few neurons of each block ([Table 3](4_2_human_evaluation.ipynb)); of all the others nobody knows {cite}`wu2024and`.
# This page goes beyond it: every explanation of every unit is scored, by how well it predicts the unit on recordings that it was not made from.
# **The paper's claim nearby**: people rate calibrated summaries above the concepts of DB and TAB. A score is no rating, but it has no gap either: {glue:text}`scored` units here.

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
# ## What is measured
#
# Units are described from folds 2–5 and scored on fold 1. No recording has clips on both sides: a clip whose source recording described the unit is barred.
# An explanation *matches* a clip by the mean cosine of its phrases and the clip, in one of two ways: with the clip's description, by the sentence encoder (*captions*), or with its sound, by TAB's encoders (*sound*).
# Matching by sound reads no caption, so it is independent of those that DB and the summaries are made from; matching by captions is independent of what TAB hears.
#
# - **r**: Pearson's r of match and activation, the score of simulation {cite}`bills2023neurons`.
# - **AUPRC**: the match ranks the clips; those of the highest {glue:text}`share:.0%` of activations should come first. Its *base rate* is that share, and *lift* how many times better it is.
# - **F1, IoU**: of the clips of highest match and of highest activation, {glue:text}`share:.0%` each.
# - **detection**: balanced accuracy of a judge that is shown active clips and as many others, and says yes to the half that matches better {cite}`paulo2024automatically`; chance is 50 %. *Hard*: the others are the inactive clips nearest in sound to an active one; they are no random clips, so compare with the shuffled explanations.
# - **AUROC**, CoSy's AUC {cite}`kopf2024cosy`, with recordings in the place of generated ones.
#
# **Nulls**: *shuffled* gives each unit another unit's explanation; *commonest* gives all of them the one that most units have.
#
# **Which can be trusted**: Oikarinen et al. {cite}`oikarinen2025evaluating` ask of a measure that it falls when an ideal neuron's explanation loses half of its labels, and when it gains as many wrong ones.
# r, AUPRC, F1 and IoU do, at every frequency of activation from 0.1 to 50 % (`tests/test_measures.py` draws them). AUROC, detection, recall and precision do not: where few clips are active, the first three hardly see wrong labels, and the last does not see missing ones.
#
# ## Scores
#
# *explained* is the share of units that have an explanation at all. The interval of r draws source recordings anew within each class, 1000 times (with one source a class: no interval, and no p); p, against shuffled explanations on the same draws, is corrected for the rows of one network (Holm).

# %% tags=["hide-input"]
cards = scoring.of_models(run, scoring.scorecard)
al.tables.scorecard(cards[cards["layer"] == "all"], made)

# %% mystnb={"figure": {"name": "scores-by-layer", "caption": "Mean r of every method by layer, with 95 % intervals over source recordings; a row a network, a panel a way to match. The dotted line has shuffled explanations."}, "image": {"alt": "Line charts of mean correlation by layer, one line a method, above a dotted line at zero for shuffled explanations"}} tags=["hide-input"]
al.figures.scores_by_layer(cards);

# %% [markdown]
# - By r, the best way to explain a unit is {glue:text}`best`.
# - People preferred summaries to the concepts of DB and TAB. As predictions, their place among the methods is {glue:text}`summaries`. DB and TAB choose a concept by the activation of every clip of folds 2–5, a summary reads ten clips; and the encoder reads all of its points, with the count of clips that each of them states.
# - Against clips that sound alike, detection by that method falls to {glue:text}`hard`, from {glue:text}`easy`.
# - A small mean can hide units that are well explained. Units whose interval of r lies above 0, by sound: {glue:text}`above`.
#
# ## Best and worst
#
# The three highest and the three lowest r of each method by sound, among all units of {glue:text}`shown`.

# %% tags=["hide-input"]
scores = scoring.of_models(run, scoring.score_neurons)
ends = scoring.best_and_worst(scores[scores["model"] == run.models[0]])
heads = {"pearson": "r", "pearson_low": "from", "pearson_high": "to", "auprc": "AUPRC", "balanced_accuracy": "detection"}
formats = dict.fromkeys(["r", "from", "to", "AUPRC"], ".2f") | {"detection": ".0%"}
al.tables.plain(ends, "Best and worst explained units", made, formats, heads)

# %% [markdown]
# ## Would it come again?
#
# A score is worth what it repeats. *Two halves of clips*: the rank correlation, over units, of r on two halves of fold 1's recordings.
# *Two halves of everything*: the explanation, too, is made twice, from folds 2–3 and folds 4–5, so that nothing is shared.
# *Same explanation*: the share of phrases that these two have in common (for DB and TAB, how often the concept is the same), and by chance.
# No profile has the same network from another seed: [training strategies](training_strategies.ipynb) has them for BEATs.

# %% tags=["hide-input"]
heads = {"halves": "two halves of clips", "retest": "two halves of everything", "same": "same explanation", "chance": "by chance"}
formats = {"two halves of clips": ".2f", "two halves of everything": ".2f", "same explanation": ".0%", "by chance": ".0%"}
al.tables.plain(scoring.of_models(run, scoring.reliability), "Reliability over other recordings", made, formats, heads)

# %% [markdown]
# ## Without any explanation
#
# SemanticLens {cite}`dreyer2025semanticlens` asks of the exemplars alone, here the sounds of a unit's {glue:text}`k` highest clips under TAB's encoder: are they alike (*clarity*, mean cosine of two), do they fall into two groups (*polysemanticity*, 1 − cosine of the centres), and does another unit of the layer have nearly the same (*redundancy*, largest cosine)?
# *with r*: Spearman's correlation with r of DB by captions, over units.

# %% tags=["hide-input"]
shape = scoring.shape_by_layer(scores)
al.tables.keep(**scoring.words(run, cards, scores))
al.tables.plain(shape, "What exemplars say of units, by layer", run.made_by(), dict.fromkeys(scoring.SHAPE, ".2f"))

# %% [markdown]
# ## What differs from the sources, and why
#
# - **The judge.** Bills et al. and Paulo et al. ask a large language model; here an encoder's cosine does it, the same for every unit and free to rerun. It understands less, and holds opposites like *faint* and *loud* for alike: a low score blames explanation and matcher together, so read it beside the shuffled row and compare methods within one matcher.
# - **Who hears.** The embedded audio encoder learnt from synthesised sounds of other seeds with their true names. It hears those of `mini` well and real recordings less well, and it favours TAB, which chose by it, as captions favour DB: the other matcher is the stricter test of either.
# - **Small sets.** Average precision of few clips is above its base rate even for shuffled explanations: take lift beside the shuffled one's.
# - **Intervals.** Those of r and of detection draw recordings anew; of the other means, in the results, units, which hear the same clips and are not independent.
#
# ## Try it yourself
#
# `papermill notebooks/scoring.ipynb out.ipynb -p model beats_frozen -p audio_encoder laion_clap`
