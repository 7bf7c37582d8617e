# %% [markdown]
# # What each fault of the released code does
#
# The paper's authors published their code with it {cite}`wu2024and`, which few do, and which alone makes a page like this one possible.
# In places that code does something else than the paper says.
# **The question**: which of the paper's tables and figures depend on which of these places, and by how much?
#
# Each is a switch of this package, {glue:text}`switches` in all, off by default. Here every switch is turned on alone, and then all together, and every exhibit is measured again on the paper's three kinds of network.
# "As released" is commit 5f370c3; the authors may have run other versions for the paper, so that nothing here says how its numbers were made.
# Where a fault *alone* explains a printed number, the derivation stands below.

# %% tags=["parameters", "hide-input"]
profile: str = "mini"  # whose numbers the prose quotes; the tables show every profile that was measured

# %%
import andlib as al
from andlib.pages import audit

run = al.open_run(globals())
matrices = audit.committed()
rows = audit.tidy(matrices)
made = " ".join(f"{matrix['made_by']} Seed {matrix['seed']}." for matrix in matrices.values())

# %% [markdown]
# ## What is measured
#
# This page computes no matrix. It reads what `python -m making.audit --profile mini` measured and the repository carries, for the profiles {glue:text}`measured`. Not measured: {glue:text}`absent`. (Seconds it took, without what was stored before: {glue:text}`seconds`.)
#
# For each network and switch: top-1 of every method and similarity function on the classifier's units (Tables 2, 7); the gaps of Table 4; the share of block units of which another thing is said (Table 6); adjectives kept (Figs 3, 9) and by depth (Fig. 5); accuracy after silencing 10 % of AST's units (Fig. 4); and the share of uninterpretable units at $K = 5$, $\tau = 4$ (Figs 6, 11–13).
#
# Fig. 8 follows the words of Figs 3 and 9, Fig. 10 is one row of Table 4, and Figs 1, 2 and 7 show single neurons; Tables 1, 5 and 8 come before any of these places in the code, and Table 3 needs people.

# %% tags=["hide-input"]
al.tables.plain(audit.switches(), "The switches", "As released: commit 5f370c3.")

# %% [markdown]
# ## Which switch changes what
#
# *Changes*: at least one number of one network differs, on every profile measured or on those named.
# *–*: it cannot, on any network, and the next table says why.
# *None seen*: it could, but no number here differs.
# *Not asked*: what could differ is ICL's answer, and the language model was not asked with the summaries that this switch makes.

# %% tags=["hide-input"]
al.tables.plain(audit.overview(rows), "Switches and exhibits", made)

# %% tags=["hide-input"]
al.tables.plain(audit.barred(), "Why a switch has no effect", "A test compares this with the numbers.")

# %% [markdown]
# ## What moves each exhibit most
#
# The one switch and measure with the largest mean change over the three networks, before and after: AST / BEATs-finetuned / BEATs-frozen, as in every table below.

# %% tags=["hide-input"]
al.tables.plain(audit.strongest(rows), "The switch that moves each exhibit most; shares in %", made)

# %% [markdown]
# ## Exhibit by exhibit
#
# In each table, the rows *corrected* hold the values before, the others those after; "=" means that no network's value changed, "–" that ICL was not asked or there is no value.
# A switch without a row changes nothing that the table shows.
#
# ### Tables 2 and 7: naming the last layer
#
# Top-1 in %.

# %% tags=["hide-input"]
al.tables.plain(*audit.under(rows, "top-1, %"), made)

# %% [markdown]
# A fault need not make numbers worse.
# Under `icl_uncalibrated`, ICL's top-1 on {glue:text}`title` goes from {glue:text}`icl_before` to {glue:text}`icl_after` % with one worked example, and from {glue:text}`icl_two` to {glue:text}`icl_two_after` % with two: the uncalibrated summary still says what calibration took for common, and an answer that names no class is counted as the nearest instead of as wrong.
# Under `db_double_softmax`, DB's top-1 by plain cosine goes from {glue:text}`softmax_before` to {glue:text}`softmax_after` %: a softmax over concepts sharpens what the cosines of short descriptions leave flat. It is DB's alone, so that DB and TAB are no longer compared under one rule.
#
# ### Table 4: unlearning
#
# $\Delta R - \Delta A$ of the class's own logit, then how many units are silenced a class, on average.
# Under `ablate_leading_rows` the numbers of units stay, the units do not: TAB's gaps go from {glue:text}`tab_before` to {glue:text}`tab_after`, DB's from {glue:text}`db_before` to {glue:text}`db_after`, OCP's from {glue:text}`ocp_before` to {glue:text}`ocp_after`.

# %% tags=["hide-input"]
al.tables.plain(*audit.under(rows, "ΔR − ΔA, and units silenced a class"), made)

# %% [markdown]
# ### Figure 4: feature importance
#
# AST's accuracy on fold 1 in % after silencing 10 % of the block units, mean over three seeds.
# *Spread* is the highest less the lowest of the attributes; *chosen*, which share of the silenced units was chosen for its attribute; *shared*, which share two attributes' sets have in common.

# %% tags=["hide-input"]
for what in audit.about("Fig. 4"):
    display(al.tables.plain(*audit.under(rows, what), made))

# %% [markdown]
# ### Table 6 and the other figures: what is said of units
#
# *Described differently* are block units whose first concept by TAB or DB, calibrated summary, or open concepts are not the corrected ones.

# %% tags=["hide-input"]
al.tables.keep(**audit.words(run, matrices, rows))
for what in audit.about("Table 6", "Figs 3, 9", "Fig. 5", "Figs 6, 11–13"):
    display(al.tables.plain(*audit.under(rows, what), made))

# %% [markdown]
# ## Printed numbers that one fault explains
#
# ### Table 7: DB under soft_wpmi
#
# soft_wpmi subtracts from a unit's score its logarithmic mean over units. Called for one unit at a time, that mean is the score itself: every score is exactly 0, for every concept, and every unit is called by whichever concept comes first.
# One of 50 classes is then right, and five of 50 are among the first five: top-1 {glue:text}`constant_top1:.0%`, top-5 {glue:text}`constant_top5:.0%`.
# The paper prints: {glue:text}`soft_printed`.
# The cosine is the mean cosine of the first name and all 50 and says nothing of any neuron. With our encoder ({glue:text}`encoder`) it is {glue:text}`constant_cos:.2f` for the first name of ESC-50's own order, and from {glue:text}`constant_cos_least:.2f` to {glue:text}`constant_cos_most:.2f`, {glue:text}`constant_cos_mean:.2f` on average, for another first. The paper's may come from another encoder, or from ties that fell on another name.
# Here the switch takes DB's soft_wpmi from {glue:text}`soft_before` to {glue:text}`soft_after` %, one class of this profile's.
#
# ### Table 4: the average number of units
#
# TAB and DB give each of $N$ block units three of $M$ concepts, so that a class has $3N/M$ units on average, whatever the method, the network's quality or the data.

# %% tags=["hide-input"]
formats = {"3N/M": ".2f", "TAB, the paper": ".0f", "DB, the paper": ".0f"}
al.tables.plain(audit.units_a_class(), "Units a class in Table 4: 3N/M, and as printed", "M = 50; N from the paper.", formats)

# %% [markdown]
# ### Table 4: the random arm
#
# As released, the random arm is one draw of 3000 units for all classes, replaced by each layer's leading rows. If one set stands for every class, the class to be forgotten and the rest lose the same on average: the gap is 0 by construction, whatever the set. Here it is {glue:text}`random_gap`; the paper prints {glue:text}`random_printed`.
# Nor is it a fair comparison: OCP took between {glue:text}`ocp_least` units at least and {glue:text}`ocp_most` at most a class here, the random arm {glue:text}`random_units` for every class. [Table 4's page](4_3_unlearning.ipynb) draws random sets as large, in the same layers.
#
# ### Figure 4: curves that hardly know their attribute
#
# As released, a layer with $n$ chosen units loses its units $0 … n-1$. Which units have the attribute does not enter at all, only how many there are in each layer: two attributes with equal numbers give one curve.
# Under `ablate_leading_rows` here, {glue:text}`chosen_after` % of the silenced units are ones that the attribute had chosen, and the sets of two attributes share {glue:text}`shared_after` % of their units ({glue:text}`shared_before` % when the chosen units are silenced).
# The attributes' accuracies lie {glue:text}`spread_after` points apart ({glue:text}`spread_before` corrected): what remains are differences of layers.
#
# Faults that are no switch, and what is done where the paper leaves something open: [choices](../../choices.md).
#
# ## What differs from the paper, and why
#
# - **Small networks, other data.** That a switch moves an exhibit here shows that the fault can matter, and how. How far it moved the paper's own numbers cannot be known without its networks and captions.
# - **One switch at a time.** Effects do not add up: some hide others. The rows *released* show all of them together.
# - **ICL** was asked with the corrected summaries, and with the uncalibrated ones. Where a switch makes other summaries, its answers are not known, and no number stands there.
# - **Our switches restate faults in our own code.** Each has a test on a hand-made case, but none is the released line itself; two settings of that code's prompts (separate questions for one and for five classes) are left out.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/4_1_last_layer.ipynb out.ipynb -p mode db_one_unit_at_a_time
# papermill notebooks/4_3_unlearning.ipynb out.ipynb -p mode ocp_substring,ablate_leading_rows
# ```
#
# Every page takes `-p mode` with any names above, or `released`.
