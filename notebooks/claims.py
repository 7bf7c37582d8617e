# %% [markdown]
# # The paper's claims, one by one
#
# The paper's tables and figures carry {glue:text}`claims` claims that our results can speak to {cite}`wu2024and`.
# Each is a rule here, written down in words and in code, that reads the numbers which the pages of this book commit.
# **No verdict is typed**: change a number in `results/` and the verdict follows, or a test says that this page is out of date.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # has no effect here: a claim names its networks
profile: str = "mini"  # whose verdicts are counted: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings; not needed, the page reads committed results
captions: str = ""  # has no effect here
weights: str = ""  # has no effect here
mode: str = "corrected"  # has no effect here
k: int = 5  # has no effect here

# %%
import andlib as al
from andlib.pages import claims, exhibits
from andlib.report.tables import keep, plain

run = al.open_run(globals())
ledger = claims.ledger()
glance = exhibits.at_a_glance()
made = "By andlib.{}, from results/<profile>/<page>.json.".format

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
cells = ledger["verdict"].mask(ledger["decisive"] == "undecided", f"{claims.FAILS}, undecided")
cells = cells.replace(claims.UNTESTED, "not tested")
texts = ledger["where"] + ": " + ledger["claim"]
shown = ledger.assign(cell=cells, claim=texts).pivot(index=["id", "claim"], columns="profile", values="cell")
shown = shown.loc[ledger["id"].unique(), ledger["profile"].unique()].reset_index()
shown = shown[["id", *ledger["profile"].unique(), "claim"]]
plain(shown, "Each claim of the paper, and whether it holds here", made("claims"))

# %% tags=["remove-cell"]
counted = ledger[ledger["profile"] == run.profile.name]["verdict"].value_counts()
kinds = [claims.HOLDS, claims.FAILS, claims.UNTESTED]
words = {said: int(counted.get(said, 0)) for said in kinds}
by_profile = ledger.groupby(["profile", "verdict"], sort=False).size().unstack(fill_value=0).reindex(columns=kinds, fill_value=0)
both = ledger.groupby("id", sort=False)["verdict"]
keep(
    claims=ledger["id"].nunique(),
    title=run.profile.title,
    holds=words[claims.HOLDS],
    fails=words[claims.FAILS],
    untested=words[claims.UNTESTED],
    undecided=int((ledger[ledger["profile"] == run.profile.name]["decisive"] == "undecided").sum()),
    counts="; ".join(f"{name}: " + ", ".join(f"{said} {count}" for said, count in row.items()) for name, row in by_profile.iterrows()),
    everywhere=", ".join(both.nunique().eq(1).index[both.apply(lambda said: set(said) == {claims.HOLDS})]) or "none",
    ledger=ledger,
    exhibits=glance,
    **exhibits.texts(shown, "id"),
    **exhibits.texts(glance, "exhibit"),
)

# %% [markdown]
# On {glue:text}`title`, {glue:text}`holds` claims hold, {glue:text}`fails` fail ({glue:text}`undecided` of them undecided) and {glue:text}`untested` cannot be tested.
# By profile: {glue:text}`counts`.
# Claims that hold on every profile: {glue:text}`everywhere`.
#
# ## The numbers

# %% tags=["hide-input"]
plain(ledger[["id", "profile", "numbers"]], "What decided each verdict", made("claims"))

# %% [markdown]
# ## The rules

# %% tags=["hide-input"]
plain(ledger.drop_duplicates("id")[["id", "rule"]], "The rule of each claim", "The docstrings of andlib.pages.claims.")

# %% [markdown]
# ## Tables and figures
#
# The paper's tables and figures, with a number of the paper for each and ours beside it, as [the first page](../../index.md) shows them.
# Three values side by side are those of AST, BEATs-finetuned and BEATs-frozen.

# %% tags=["hide-input"]
plain(glance.drop(columns="page"), "Each table and figure of the paper, by what stands for it", made("exhibits"))

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
# from andlib import claims
# claims.judge("t4_ocp_gap", claims.committed("mini"))  # verdict, the part that decided it, numbers
# ```
#
# Next: [naming the last layer](4_1_last_layer.ipynb), the first of these claims.
