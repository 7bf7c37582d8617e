# %% [markdown]
# # 4.5 Units that respond to many things
#
# Do the clips that excite a unit have anything in common, as far as their descriptions say?
# Section 4.5 of the paper asks so of every unit, block by block {cite}`wu2024and`.
# **Its claim**: supervised training narrows what units respond to. The share of uninterpretable units falls with depth in AST, falls in the deep blocks of BEATs-finetuned, and stays flat in BEATs-frozen; and so for every $K$ and $\tau$.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50 | gtzan
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest activated clips per neuron
tau: int = 4  # how many of them must share a cluster
clusters: int = 11  # of sentences

# %%
import andlib as al
from andlib.pages import section_4_5 as polysemanticity
from andlib.report.tables import keep, plain

run = al.open_run(globals(), clusters=int, tau=int)
al.figures.style()
clusters, tau = run.extra["clusters"], run.extra["tau"]

# %% [markdown]
# ## What is measured
#
# All sentences of all descriptions $D_d$, {glue:text}`sentences` here, {glue:text}`distinct` of them distinct, are encoded ({glue:text}`encoder`) and grouped by K-means.
# A description is in a cluster if one of its sentences is.
# A unit is *interpretable* if at least $\tau$ of its $K$ highest clips are in one cluster, and *uninterpretable* otherwise; the paper's Figure 6 has $K = 5$ and $\tau = 4$.
# Units of attention output and of both layers of the perceptron count, block by block; the classifier does not.
#
# **Chance.** A description is in several clusters, so clips that have nothing to do with each other share one now and then.
# Every figure below has a dotted line: the share of uninterpretable units if every unit's $K$ clips were drawn at random from the probing set, {glue:text}`draws:,` times. Its width is its 95 % interval.
#
# ## Figure 6

# %% mystnb={"figure": {"name": "uninterpretable", "caption": "Share of uninterpretable units by block, with 95 % intervals over units. The dotted line is chance: every unit's clips drawn at random."}, "image": {"alt": "Line chart: share of uninterpretable units by block, a line for each network with error bars, and a dotted horizontal line at chance"}} tags=["hide-input"]
rows = polysemanticity.interpretability(run, clusters, tau)
shown = rows[(rows["k"] == run.k) & (rows["tau"] == tau)]
al.figures.uninterpretable(shown);

# %% tags=["hide-input"]
origins = run.caption_parts
shares = shown.pivot(index="model", columns="block", values="share").rename(columns="block {}".format)
readings = shown.groupby("model")[["share_printed", "chance", "chance_printed"]].mean()
readings.columns = ["all, Algorithm 1", "chance", "chance, Algorithm 1"]
table = shares.join(readings).reset_index()
plain(table, f"Uninterpretable units, K = {run.k}, τ = {tau}, {clusters} clusters", run.made_by(*origins), dict.fromkeys(table.columns[1:], ".1%"))

# %% [markdown]
# The text's reading counts clips in a cluster.
# **Algorithm 1 as printed** instead intersects the multisets of clusters of all $K$ descriptions and asks for $\tau$ common elements: every one of the $K$ clips would have to share $\tau$ sentences' clusters.
# By it, {glue:text}`printed:.1%` of the units are uninterpretable, and {glue:text}`printed_chance:.1%` by chance: the paper's figures can hardly rest on it.
#
# Trend with depth: Spearman's $\rho$ of a unit's block and whether it is uninterpretable.
# A share *falls* if the 95 % interval of $\rho$ lies below 0, *rises* if above, and is *flat* if the interval holds 0.
# p permutes which unit is in which block; Holm's correction is over the rows of the table.

# %% tags=["hide-input"]
tested = polysemanticity.trends(shown)
order = ["model", "first", "last", "rho", "low", "high", "p", "holm", "verdict"]
names = {"first": "first block", "last": "last block", "rho": "ρ", "holm": "p (Holm)"}
formats = dict.fromkeys(["first block", "last block"], ".1%") | dict.fromkeys(["ρ", "low", "high"], "+.2f") | dict.fromkeys(["p", "p (Holm)"], ".4f")
plain(tested[order].rename(columns=names), f"Trend over depth, K = {run.k}, τ = {tau}", run.made_by(*origins), formats)

# %% tags=["remove-cell"]
found = polysemanticity.sentence_clusters(run, clusters)
bends = polysemanticity.elbow(run)
every = polysemanticity.trends(rows)
deep = polysemanticity.trends(shown[shown["block"] > shown["block"].max() / 2]).set_index("model")["verdict"]
verdict = tested.set_index("model")["verdict"]
missing = [name for name in al.MODELS if name not in run.models]
agree = every[every["model"].isin(run.models)].groupby("model", sort=False)["verdict"].value_counts()
sizes = [captions for captions, _ in al.paper.numbers()["table8_clusters"]["captions_and_sentences"]]


def judged(holds):
    """A claim's verdict in words."""
    return f"cannot be tested without {', '.join(missing)}" if missing else "holds" if holds() else "fails"


def compared(end, sign):
    """How many of the blocks lie clearly on one side of chance, by model."""
    beyond = sign * (shown[f"share_{end}"] - shown["chance"]) > 0
    return ", ".join(f"{name} {part.sum()} of {len(part)}" for name, part in beyond.groupby(shown["model"], sort=False))


keep(
    sentences=found.times.sum(),
    distinct=len(found.sentences),
    encoder=run.profile.encoder,
    draws=polysemanticity.DRAWS,
    printed=(shown["share_printed"] * shown["units"]).sum() / shown["units"].sum(),
    printed_chance=shown["chance_printed"].iloc[0],
    chance=shown["chance"].iloc[0],
    below=compared("high", -1),
    above=compared("low", 1),
    means=", ".join(f"{name} {share:.1%}" for name, share in shown.groupby("model", sort=False)["share"].mean().items()),
    surviving=", ".join(tested.loc[tested["holm"] < 0.05, "model"]) or "none",
    verdicts=", ".join(f"{name} {word}" for name, word in verdict.items()),
    deep=", ".join(f"{name} {word}" for name, word in deep.items()),
    largest=max(sizes),
    largest_4=polysemanticity.chance_by_sizes([max(sizes)], 2000, 5, 4),
    chance_least=rows["chance"].min(),
    chance_most=rows["chance"].max(),
    widest=100 * (every["first"] - every["last"]).abs().max(),
    starts=polysemanticity.STARTS,
    claim=judged(lambda: (verdict["ast"], verdict["beats_frozen"], deep["beats_finetuned"]) == ("falls", "flat", "falls")),
    same=judged(lambda: agree.index.get_level_values("model").is_unique),
    counted="; ".join(f"{name} " + ", ".join(f"{word} in {n}" for word, n in agree[name].items()) for name in run.models),
    bend=int(bends.loc[bends["elbow"], "clusters"].iloc[0]),
    clusters=clusters,
    dead=int(shown["dead"].sum()),
    title=run.profile.title,
    **{f"table8_{t}": polysemanticity.chance_by_sizes(sizes, 2000, 5, t) for t in (3, 4, 5)},
    shares=rows,
    trends=every,
)

# %% [markdown]
# On {glue:text}`title`:
#
# - **Chance** leaves {glue:text}`chance:.1%` of units uninterpretable. Blocks whose interval lies below that: {glue:text}`below`; above it: {glue:text}`above`.
# - **Mean over blocks**: {glue:text}`means`.
# - **Trends**: {glue:text}`verdicts`. With a p below 5 % after Holm's correction: {glue:text}`surviving`. In the deeper half of the blocks alone: {glue:text}`deep`.
# - **The claim**, as a rule: AST falls, BEATs-frozen is flat, BEATs-finetuned falls in the deeper half. It {glue:text}`claim` here.
#
# Untrained and supervised BEATs, which the paper does not have, say what a share or a trend is worth: what an untrained network shows cannot come from training.
# An interval over units speaks of this one network, not of [another training](training_strategies.ipynb) of it.
#
# ## Figures 11 to 13
#
# The same for $K$ = 5, 10 and 20 with $\tau$ at 60, 80 and 100 % of $K$, and for this page's own parameters where they are others.

# %% mystnb={"figure": {"name": "uninterpretable-all", "caption": "Share of uninterpretable units by block for each K (rows) and τ (columns), as the paper's Figures 11, 12 and 13; the dotted lines are chance."}, "image": {"alt": "Grid of line charts, rows K = 5, 10, 20, columns three values of tau: share of uninterpretable units by block, and chance as a dotted line"}} tags=["hide-input"]
al.figures.uninterpretable(rows);

# %% tags=["hide-input"]
words = every.assign(setting="K = " + every["k"].astype(str) + ", τ = " + every["tau"].astype(str))
words = words.pivot(index="setting", columns="model", values="verdict").loc[words["setting"].unique()].reset_index()
plain(words, "Trend over depth for every K and τ", run.made_by(*origins))

# %% [markdown]
# The paper finds the same trends for every $K$ and $\tau$. Here: {glue:text}`counted`. That they are the same for each network {glue:text}`same`.
#
# Over these settings chance runs from {glue:text}`chance_least:.1%` to {glue:text}`chance_most:.1%`, while no network's share changes by more than {glue:text}`widest:.0f` points from first to last block: how low a share is says little without its chance.
#
# ## What the paper's shares are worth
#
# The paper has no chance line. Table 8 tells how many of the 2000 descriptions are in each cluster. Taking a unit's five clips as independent draws, and a description's clusters as independent of each other, $1 - \prod_c P(\mathrm{Bin}(5, n_c / 2000) < \tau)$ of the units would be interpretable with clips drawn at random: {glue:text}`table8_3:.1%` at $\tau = 3$, {glue:text}`table8_4:.1%` at $\tau = 4$ and {glue:text}`table8_5:.1%` at $\tau = 5$.
# The largest cluster alone, with {glue:text}`largest` descriptions, gives {glue:text}`largest_4:.1%` at $\tau = 4$.
# A share in Figure 6 says something only by how far it is from that.
#
# ## The number of clusters
#
# The paper takes 11 by the elbow method. The elbow here, the point furthest below the line from first to last, is at {glue:text}`bend`; {glue:text}`clusters` are used.

# %% mystnb={"figure": {"name": "elbow", "caption": "The elbow method: how far sentences are from their centres, by number of clusters."}, "image": {"alt": "Falling curve of inertia by number of clusters with the elbow and the number used marked"}} tags=["hide-input"]
al.figures.elbow(bends, clusters);

# %% [markdown]
# ## Table 8
#
# The clusters by size, with the sentences nearest their centres, and the words they use; numbers in brackets are descriptions and sentences, as in the paper.

# %% tags=["hide-input"]
plain(polysemanticity.cluster_table(found), "Table 8. Clusters of sentences", run.made_by(*origins))

# %% mystnb={"figure": {"name": "cluster-words", "caption": "The words of each cluster, sized by how often they are said, without stop words."}, "image": {"alt": "Word clouds, one for each cluster of sentences"}} tags=["hide-input"]
al.figures.word_clouds(polysemanticity.cluster_words(found));

# %% [markdown]
# ## Figure 14: ten classes
#
# The paper's Figure 14 repeats this with GTZAN, ten genres of music, which its networks were trained on and are probed with.
# It finds at most 20 % uninterpretable at $\tau = 4$, explained by the simpler data set, and a clearer trend at $\tau = 5$: AST concentrates, BEATs-frozen stays diverse.
# Profile `gtzan` does so with the recordings, captions and networks that you give it ([how to run](../../how_to_run.md)).
# **Any other profile shows a ten-class subset of its own sounds, and no music**, so the claim is not tested there.
#
# The subset is the first ten classes in the set's own numbering, so that no result decides them: {glue:text}`few_clips` of the {glue:text}`all_clips` clips, with sentences clustered anew.
# {glue:text}`subset`
# Activations are those of above.

# %% mystnb={"figure": {"name": "uninterpretable-ten", "caption": "Share of uninterpretable units by block, K = 5, probed with the clips of the first ten classes alone, clustered anew. GTZAN where the profile is gtzan, and no music elsewhere."}, "image": {"alt": "Three line charts for tau 3, 4 and 5: share of uninterpretable units by block on a ten-class subset, and chance as a dotted line"}} tags=["hide-input"]
ten = polysemanticity.interpretability(run, clusters, tau, classes=10)
ten = ten[ten["k"] == 5]
al.figures.uninterpretable(ten);

# %% tags=["remove-cell"]
classes = len(run.probing_set.classes)
at_four = {name: part[(part["k"] == 5) & (part["tau"] == 4)] for name, part in (("few", ten), ("all", rows))}
strict = polysemanticity.trends(ten[ten["tau"] == 5])
whole = f"This set has {classes} classes: as a whole it is that subset, and what follows repeats Figure 11."
narrower = f"Of {classes} classes, that is. The networks are those above, not trained on these ten alone as the paper's were."
keep(
    subset=narrower if classes > 10 else whole,
    few=min(10, len(run.probing_set.classes)),
    few_clips=len(polysemanticity.clips_of(run, 10)),
    all_clips=len(run.probing_set),
    strict=", ".join(f"{name} {word}" for name, word in zip(strict["model"], strict["verdict"], strict=True)),
)
keep(**{f"chance_{name}": part["chance"].iloc[0] for name, part in at_four.items()})
keep(**{f"most_{name}": part["share"].max() for name, part in at_four.items()})

# %% [markdown]
# At $\tau = 4$ chance is {glue:text}`chance_few:.1%` with these classes and {glue:text}`chance_all:.1%` with all; the networks' highest share is {glue:text}`most_few:.1%` and {glue:text}`most_all:.1%`.
# At $\tau = 5$ the trends are: {glue:text}`strict`.
#
# What a share below 20 % is worth depends on chance, which the paper's figure does not show.
#
# ## What differs from the paper, and why
#
# - **Descriptions.** The paper's come from SALMONN, several sentences each, about what is heard. Here part of every description is measured (level, onset, repetition), in a limited set of phrases, so that clusters are of *kinds of statement*, and even of wording ("it begins with", "its attack is"), as much as of sounds.
# - **Chance** and the further networks are ours.
# - **K-means** is seeded here, and not in the released code, so its clusters differ from run to run. Our clusters are the best of {glue:text}`starts` starts.
# - **Dead units**, which give every clip the same activation, have no highest clips and are left out: {glue:text}`dead` here.
# - **All clips** probe the networks, those they were trained on included, as in the paper.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/4_5_polysemanticity.ipynb out.ipynb -p tau 5 -p clusters 20
# papermill notebooks/4_5_polysemanticity.ipynb out.ipynb -p model ast -p k 10 -p tau 8
# papermill notebooks/4_5_polysemanticity.ipynb out.ipynb -p mode first_token
# papermill notebooks/4_5_polysemanticity.ipynb out.ipynb -p profile gtzan -p data_dir genres_original -p model ast -p weights path/to/ast
# ```
#
# Next: [training strategies, compared cleanly](training_strategies.ipynb).
