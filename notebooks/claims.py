# %% [markdown]
# # The paper's claims, one by one
#
# On {glue:text}`title`, the {glue:text}`claims` claims of the paper that this page judges come out as follows: {glue:text}`ours`.
# Supported on every profile: {glue:text}`everywhere`.
# The claims are those of its tables and figures {cite}`wu2024and`; a rule, in words and in code, judges each by the numbers that the pages of this book commit.

# %% tags=["parameters", "hide-input"]
profile: str = "mini"  # whose verdicts are counted: mini, or any other with results

# %%
import andlib as al
from andlib.pages import claims

run = al.open_run(globals())
results = claims.everywhere()
ledger = claims.ledger(results)
al.tables.keep(**claims.words(run, ledger, claims.at_a_glance(results)))

# %% tags=["hide-input"]
made = "By andlib.pages.claims, from results/<profile>/<page>/."
al.tables.plain(claims.side_by_side(ledger), "Each claim of the paper, and what these numbers say of it", made)

# %% [markdown]
# ## The numbers and the rules

# %% mystnb={"code_prompt_show": "What decided each verdict, and by which rule"} tags=["hide-cell"]
decided = ledger[["id", "profile", "numbers", "rule"]]
al.tables.plain(decided, "What decided each verdict, and by which rule (in code: andlib.pages.rules)", made)

# %% [markdown]
# ## How a verdict comes about
#
# The paper's tables and figures stand beside ours on [the first page](../../index.md).
# Every number that a claim compares has an interval over what it rests on: clips, units, seeds, draws, partitions.
# A claim has a part for every network, percentage or measure that it names; the verdict first in this list decides.
#
# - **Contradicted**: the interval shows the opposite, or no difference.
# - **Inconclusive**: the interval holds both.
# - **Not testable here**: its numbers are missing or would say something else; the reason stands beside it.
# - **At a ceiling**: what is compared is perfect on both sides, and could not differ. Encoders that learnt the same recipes as the sounds reach it easily; that is no failure of the claim.
# - **Supported**: every part is.
#
# A trend over depth is *flat* if Spearman's rho certainly lies within {glue:text}`flat` of 0; it *falls* or *rises* if rho certainly lies on one side of 0 and not that near; else it is unclear.
# No verdict compares the logits of two networks, which have no common scale.
#
# ## What differs from the paper, and why
#
# - **Scale.** These are small networks on small sets, described by short captions. A claim that is contradicted here may be true of the paper's networks, and one that is supported here is no proof of it there.
# - **Intervals.** The paper gives none. A claim read off a figure by eye must show more here.
# - **Circularity.** Where captions state what was measured, units said to be loud are so by construction. [Appendix C](appendix_c_acoustics.ipynb) shows both readings; the ledger takes only the one without measured captions.
# - **One training.** An interval over clips or units is for one network. [Training strategies](training_strategies.ipynb) trains each BEATs three times.
#
# ## Try it yourself
#
# ```python
# from andlib.pages import claims
# claims.judge("t4_ocp_gap", claims.committed("mini"))  # verdict, and the numbers of every part
# ```
