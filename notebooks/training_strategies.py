# %% [markdown]
# # Training strategies, compared cleanly
#
# Of four training strategies, the least accurate ({glue:text}`least`) is right on {glue:text}`least_accuracy:.0%` of fold 1, and yet DB names {glue:text}`least_top1:.0%` of its classifier units.
# The paper claims that dissection accuracy falls with the network's own accuracy, from AST to BEATs-finetuned to BEATs-frozen (Section 4.1) {cite}`wu2024and`.
# But AST and BEATs differ in architecture and pre-training, too, and each was trained once.
# This page trains one architecture under four strategies, each with {glue:text}`seeds` seeds.

# %% tags=["parameters", "hide-input"]
profile: str = "mini"  # what is probed and with which models: mini | esc10

# %% mystnb={"figure": {"name": "strategies", "caption": "Each strategy's three networks (dots), their mean and its 95 % interval by Student's t. With three seeds intervals are wide: two strategies differ for sure only where they are far apart."}, "image": {"alt": "Small panels, one a measure: four strategies on the vertical axis, three dots each with mean and interval"}} tags=["hide-input"]
import andlib as al
from andlib.pages import training_strategies as strategies

run = al.open_run(globals())
rows = strategies.clean_comparison(run)
summary, made = strategies.over_seeds(rows), strategies.provenance(run)["made_by"]
al.figures.strategies(rows, summary);

# %% tags=["hide-input"]
al.tables.keep(**strategies.words(run, summary))
al.tables.strategies(summary, "One architecture, four training strategies: mean over seeds, and 95 %", made)

# %% [markdown]
# On {glue:text}`title`, accuracy falls in the order {glue:text}`accuracy_order`.
# Pre-training changes the accuracy of the frozen network by {glue:text}`pretraining:+.0f` points, compared with random features under a trained classifier.
# Starting from it instead of from random weights changes the accuracy of the fully trained network by {glue:text}`start:+.1f` points.
#
# From the clips of fold 1 alone, DB names {glue:text}`least_top1_fold1:.0%` of the least accurate network's classifier units, and {glue:text}`best_fold1:.0%` under the best strategy.
# A classifier can learn its training clips by heart, and the paper's test plays them again; fold 1 has none.

# %% tags=["hide-input"]
paired = strategies.paired_over_seeds(rows)
al.tables.strategies(paired, "Differences between strategies of the same seed: mean, and 95 %", made)

# %% [markdown]
# Logits of differently trained classifiers have different scales, so a larger [gap](../../glossary.md) need not mean more selective units.
#
# ## How it is measured
#
# The architecture is BEATs, with 4 blocks of 96 channels. The strategies are:
#
# - **random features, trained classifier** (`beats_untrained`): random weights, frozen, under a linear classifier that is trained on the labels of folds 2–5.
# - **beats_supervised**: trained from scratch on the same labels.
# - **beats_frozen**: pre-trained by masked prediction without any label, then frozen under a classifier like the first's.
# - **beats_finetuned**: the same pre-trained network, then trained whole with the recipe of *supervised*.
#
# *Supervised* and *fine-tuned* share architecture, recipe, labels and number of epochs: only the start differs.
# *Frozen* and *random features, trained classifier* share everything but the encoder's weights.
# A seed decides initial weights, order of clips, masks and augmentation.
#
# The measures are accuracy on fold 1, DB's top-1 on the classifier units ([Table 2](4_1_last_layer.ipynb)) and the gaps of [Table 4](4_3_unlearning.ipynb).
# *Beyond random units* is the gap less that of as many random units in the same layers; the last measure counts the different adjectives in a block unit's open concepts.
#
# ## What differs from the paper, and why
#
# - The paper has no such table. Its three networks confound strategy with architecture and pre-training data, and one training each leaves no way to tell a difference from luck.
# - Three seeds are few; with four strategies and eight measures, some interval misses 0 by chance. Read the table as a screening.
# - Training all these networks took {glue:text}`hours:.1f` hours of one core (`make strategies`, which judges them, too). This page reads the committed results.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/4_3_unlearning.ipynb out.ipynb -p model beats_supervised
# python -m making.training beats --profile mini --seed 3
# ```
