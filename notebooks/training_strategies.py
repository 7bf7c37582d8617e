# %% [markdown]
# # Training strategies, compared cleanly
#
# The paper reads differences between AST, BEATs-finetuned and BEATs-frozen as differences between training strategies {cite}`wu2024and`.
# **Its claim** (Section 4.1): dissection accuracy falls with the network's own accuracy, from AST to BEATs-finetuned to BEATs-frozen.
# But AST and BEATs are different architectures, pre-trained differently, and each was trained once.
# This page holds the architecture still, changes the strategy alone, and trains every network three times.

# %% tags=["parameters", "hide-input"]
profile: str = "mini"  # what is probed and with which models: mini | esc10

# %%
import andlib as al
from andlib.pages import training_strategies as strategies

run = al.open_run(globals())
rows = strategies.clean_comparison(run)
about = strategies.provenance(run)

# %% [markdown]
# ## What is measured
#
# One architecture (BEATs, 4 blocks of 96 channels) under four strategies:
#
# - **random features, trained classifier** (`beats_untrained`): random weights, frozen, under a linear classifier that is trained on the labels of folds 2–5.
# - **beats_supervised**: trained from scratch on the labels of folds 2–5.
# - **beats_frozen**: pre-trained by masked prediction without any label, frozen, under a linear classifier that is trained as the first one's.
# - **beats_finetuned**: the same pre-trained network, then trained whole with the recipe of *supervised*.
#
# *Supervised* and *fine-tuned* share architecture, recipe, labels and number of epochs: only the start differs.
# *Frozen* and *random features, trained classifier* share everything but the encoder's weights.
# A seed decides initial weights, order of clips, masks and augmentation.
#
# Each network is judged by accuracy on fold 1, DB's top-1 on its classifier units ([Table 2](4_1_last_layer.ipynb)), the gaps of [Table 4](4_3_unlearning.ipynb) and what those gaps exceed that of as many random units in the same layers by, and by how many different adjectives and different nouns its block units' open concepts hold.
#
# ## Results

# %% tags=["hide-input"]
summary = strategies.over_seeds(rows)
caption = "One architecture, four training strategies: mean over seeds, and 95 %"
al.tables.strategies(summary, caption, about["made_by"])

# %% mystnb={"figure": {"name": "strategies", "caption": "Each strategy's three networks (dots), their mean and its 95 % interval by Student's t. With three seeds intervals are wide: two strategies differ for sure only where they are far apart."}, "image": {"alt": "Small panels, one a measure: four strategies on the vertical axis, three dots each with mean and interval"}} tags=["hide-input"]
al.figures.strategies(rows, summary);

# %% [markdown]
# On {glue:text}`title`, by {glue:text}`seeds` seeds:
#
# - **Pre-training** lifts the frozen network by {glue:text}`pretraining:.0f` points above random features under a trained classifier.
# - **Starting from it** instead of from random weights changes the fully trained network by {glue:text}`start:+.1f` points.
# - **Accuracy** falls in the order {glue:text}`accuracy_order`. The least accurate, {glue:text}`least`, is right on {glue:text}`least_accuracy:.0%` of fold 1, and yet DB names {glue:text}`least_top1:.0%` of its classifier units from all clips; from the clips of fold 1 alone {glue:text}`least_top1_fold1:.0%`, where the best strategy reaches {glue:text}`best_fold1:.0%`. A classifier can learn its training clips by heart, and the paper's examination plays them again; fold 1 does not.
# - Against *supervised*, *fine-tuned* changes Table 4's excess over random units by {glue:text}`start_ocp` for OCP and {glue:text}`start_db` for DB (mean difference over seeds, paired, with its 95 % interval).
# - Against *frozen*, by {glue:text}`frozen_ocp` for OCP and {glue:text}`frozen_db` for DB. Logits of differently trained classifiers have different scales, so a larger gap need not mean more selective units.

# %% tags=["hide-input"]
paired = strategies.paired_over_seeds(rows)
al.tables.keep(**strategies.words(run, summary, paired))
al.tables.strategies(paired, "Differences between strategies of the same seed: mean, and 95 %", about["made_by"])

# %% [markdown]
# ## What differs from the paper, and why
#
# - The paper has no such table. Its three networks confound strategy with architecture and pre-training data, and one training each leaves no way to tell a difference from luck.
# - Three seeds are few; with four strategies and nine measures, some interval misses 0 by chance. Read the table as a screening.
# - Training all these networks took {glue:text}`hours:.1f` hours of one core (`make strategies`, which judges them, too); this page reads the committed results.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/4_3_unlearning.ipynb out.ipynb -p model beats_supervised
# python -m making.training beats --profile mini --seed 3
# ```
