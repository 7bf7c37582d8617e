# %% [markdown]
# # The paper's claims, one by one
#
# The paper's tables and figures carry {glue:text}`claims` claims that our results can speak to {cite}`wu2024and`.
# Each is a rule here, written down in words and in code, that reads the numbers which the pages of this book commit.
# **No verdict is typed**: change a number in `results/` and the verdict follows, or a test says that this page is out of date.

# %% tags=["parameters", "hide-input"]
profile: str = "mini"  # whose verdicts are counted: mini, or any other with results

# %%
import andlib as al
from andlib.pages import claims, exhibits

run = al.open_run(globals())
results = claims.everywhere()
ledger = claims.ledger(results)

# %% [markdown]
# ## How a verdict comes about
#
# - A claim **holds** if every part of it does: for every network, percentage or measure that it names.
# - It **fails** if one part is contradicted, or is undecided: where there is an interval, a difference whose interval holds 0 does not count.
# - It **cannot be tested here** (in the table: not tested) if no part fails and one lacks its numbers; the reason stands beside it.
#
# So *fails* does not mean that the opposite is true: "fails, undecided" says that no part is contradicted, but one is not shown.
# The second table gives every part's numbers, the third the rules.
#
# ## The verdicts

# %% tags=["hide-input"]
made = "By andlib.pages.{}, from results/<profile>/<page>/.".format
al.tables.plain(claims.side_by_side(ledger), "Each claim of the paper, and whether it holds here", made("claims"))

# %% [markdown]
# On {glue:text}`title`, {glue:text}`holds` claims hold, {glue:text}`fails` fail ({glue:text}`undecided` of them undecided) and {glue:text}`untested` cannot be tested.
# By profile: {glue:text}`counts`.
# Claims that hold on every profile: {glue:text}`everywhere`.
#
# ## The numbers

# %% tags=["hide-input"]
al.tables.plain(ledger[["id", "profile", "numbers"]], "What decided each verdict", made("claims"))

# %% [markdown]
# ## The rules

# %% tags=["hide-input"]
al.tables.plain(ledger.drop_duplicates("id")[["id", "rule"]], "The rule of each claim", "In code: andlib.pages.rules.")

# %% [markdown]
# ## Tables and figures
#
# The paper's tables and figures, with a number of the paper for each and ours beside it, as [the first page](../../index.md) shows them.
# Three values side by side are those of AST, BEATs-finetuned and BEATs-frozen.

# %% tags=["hide-input"]
glance = exhibits.at_a_glance(results)
al.tables.plain(glance.drop(columns="page"), "Each table and figure of the paper, by what stands for it", made("exhibits"))

# %% tags=["remove-cell"]
al.tables.keep(**claims.words(run, ledger, glance))

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Scale.** These are small networks on small sets, described by short captions. That a claim fails here does not say that it fails with the paper's networks, and one that holds here is no proof of it there.
# - **Intervals.** The paper gives none. A claim read off a figure by eye is asked more of here.
# - **Circularity.** Where captions state what was measured, units said to be loud are so by construction. [Appendix C](appendix_c_acoustics.ipynb) shows both readings; the ledger takes the one without measured captions alone.
# - **One training.** An interval over clips or units speaks of this one network. [Training strategies](training_strategies.ipynb) trains each three times.
#
# ## Try it yourself
#
# ```python
# from andlib.pages import claims
# claims.judge("t4_ocp_gap", claims.committed("mini"))  # verdict, the part that decided it, numbers
# ```
#
# Next: [naming the last layer](4_1_last_layer.ipynb), the first of these claims.
