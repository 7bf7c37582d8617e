# %% [markdown]
# # 4.5 Units that respond to many things
#
# On {glue:text}`title`, the share of *uninterpretable* units is {glue:text}`means` on average over blocks, and {glue:text}`chance:.1%` if a unit's clips are drawn at random.
# A [unit](../../glossary.md) is uninterpretable if the descriptions of its highest clips have too little in common; Section 4.5 of the paper counts such units by block {cite}`wu2024and`.
# **Its claim**: supervised training narrows what units respond to.
# The share falls with depth in AST and in the deep blocks of BEATs-finetuned, and stays flat in BEATs-frozen, for every $K$ and $\tau$.
# The trends are {glue:text}`claim` here, and that they are the same for every $K$ and $\tau$ is {glue:text}`same`.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50 | gtzan
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest activated clips per neuron
tau: int = 4  # how many of them must share a cluster
clusters: int = 11  # of sentences

# %%
import andlib as al
from andlib.pages import section_4_5, section_4_5_words

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)
groups = section_4_5.sentence_clusters(run, clusters)  # K-means of all sentences of all descriptions, many times over

# %% [markdown]
# ## Figure 6
#
# The sentences of all descriptions are grouped into {glue:text}`clusters` clusters, in {glue:text}`partitions` ways (partitions).
# A unit is *interpretable* if at least $\tau$ of its $K$ highest clips have a sentence in one cluster; the paper's Figure 6 has $K = 5$ and $\tau = 4$.

# %% mystnb={"figure": {"name": "uninterpretable", "caption": "Share of uninterpretable units by block, with 95 % intervals over units and partitions. The dotted line is chance: every unit's clips drawn at random."}, "image": {"alt": "Line chart: share of uninterpretable units by block, a line for each network with error bars, and a dotted horizontal line at chance"}} tags=["hide-input"]
rows = section_4_5.interpretability(run, clusters, tau)  # for each block, K and tau
shown = rows[(rows["k"] == run.k) & (rows["tau"] == tau)]
al.figures.uninterpretable(shown);

# %% mystnb={"code_prompt_show": "Shares by block"} tags=["hide-cell"]
shares = section_4_5.wide(shown)
caption = f"Uninterpretable units, K = {run.k}, τ = {tau}, {clusters} clusters"
al.tables.plain(shares, caption, made, dict.fromkeys(shares.columns[1:], ".1%"))

# %% [markdown]
# Depending on the partition, chance lies between {glue:text}`chance_low:.1%` and {glue:text}`chance_high:.1%`. Blocks clearly below it: {glue:text}`below`; above it: {glue:text}`above`.
# *Lowest* and *highest* are the extremes over blocks and partitions. The trend with depth is Spearman's $\rho$ between a unit's block and whether it is uninterpretable, averaged over partitions.
# A share is *flat* if the 95 % interval of $\rho$ lies within 0.1 of 0; it *falls* or *rises* if the interval lies elsewhere and excludes 0, and is *unclear* otherwise.
# *Falling* and *rising* count the partitions in which this holds by itself.

# %% mystnb={"code_prompt_show": "Trends over depth"} tags=["hide-cell"]
every = section_4_5.trends(rows)  # over all blocks and their deeper half, for each K and tau
tested = every[(every["k"] == run.k) & (every["tau"] == tau)]
heads = {"first": "first block", "last": "last block", "rho": "ρ", "rho_least": "lowest ρ", "rho_most": "highest ρ"}
formats = dict.fromkeys(["first block", "last block"], ".1%") | dict.fromkeys(["ρ", "low", "high", "lowest ρ", "highest ρ"], "+.2f")
al.tables.plain(tested.drop(columns=["k", "tau"]), f"Trend over depth, K = {run.k}, τ = {tau}", made, formats, heads)

# %% [markdown]
# Trends: {glue:text}`verdicts`; in the deeper half of the blocks: {glue:text}`deep`. The claim network by network: {glue:text}`claim_numbers`
# The paper has neither `beats_supervised` nor `beats_untrained` (random features, trained classifier): what random features show cannot come from training.
#
# ## Figures 11 to 13
#
# The same for $K$ = 5, 10 and 20 with $\tau$ at 60, 80 and 100 % of $K$, and for this page's $K$ and $\tau$. By network: {glue:text}`same_numbers`

# %% mystnb={"figure": {"name": "uninterpretable-all", "caption": "Share of uninterpretable units by block for each K (rows) and τ (columns), as the paper's Figures 11, 12 and 13; the dotted lines are chance."}, "image": {"alt": "Grid of line charts, rows K = 5, 10, 20, columns three values of tau: share of uninterpretable units by block, and chance as a dotted line"}} tags=["hide-input"]
al.figures.uninterpretable(rows);

# %% mystnb={"code_prompt_show": "Trends for every K and τ"} tags=["hide-cell"]
al.tables.plain(section_4_5.settings(every), "Trend over depth for every K and τ", made)

# %% [markdown]
# ## Table 8: the clusters
#
# The paper takes 11 clusters by the elbow method, and {glue:text}`clusters` are used here.
# Our elbow, the point furthest below the line from first to last, is at {glue:text}`bend`, by the tightest partition (of lowest inertia) for each number.
# Table 8 and the words are of the tightest partition; numbers in brackets are descriptions and sentences, as in the paper.

# %% mystnb={"code_prompt_show": "Table 8"} tags=["hide-cell"]
al.tables.plain(section_4_5.cluster_table(groups), "Table 8. Clusters of sentences", made)

# %% mystnb={"code_prompt_show": "The words of each cluster", "figure": {"name": "cluster-words", "caption": "The words of each cluster, sized by how often they are said, without stop words."}, "image": {"alt": "Word clouds, one for each cluster of sentences"}} tags=["hide-cell"]
al.figures.word_clouds(section_4_5.cluster_words(groups));

# %% [markdown]
# ## Figure 14: ten classes
#
# The paper repeats this with GTZAN, ten genres of music, which its networks were trained on.
# It finds at most 20 % uninterpretable at $\tau = 4$, explained by the simpler data set, and a clearer trend at $\tau = 5$: AST concentrates, BEATs-frozen stays diverse.
# Profile `gtzan` tests this with the recordings, captions and networks that you give it ([real recordings](../../real_recordings.md)).
# Any other profile shows its own first ten classes by number, and no music, so the claim is not tested: {glue:text}`few_clips` clips, with sentences clustered anew.
# {glue:text}`subset`

# %% mystnb={"code_prompt_show": "The first ten classes alone", "figure": {"name": "uninterpretable-ten", "caption": "Share of uninterpretable units by block, K = 5, probed with the clips of the first ten classes alone, clustered anew. GTZAN where the profile is gtzan, and no music elsewhere."}, "image": {"alt": "Three line charts for tau 3, 4 and 5: share of uninterpretable units by block on a ten-class subset, and chance as a dotted line"}} tags=["hide-cell"]
ten = section_4_5.interpretability(run, clusters, tau, classes=10)
al.tables.keep(**section_4_5_words.words(run, groups, section_4_5.elbow(run), rows, every, ten))
al.figures.uninterpretable(ten[ten["k"] == 5]);

# %% [markdown]
# At $\tau = 4$ chance is {glue:text}`chance_few:.1%` with these classes, and the networks' highest share is {glue:text}`most_few:.1%`.
# At $\tau = 5$ the trends are: {glue:text}`strict`.
#
# ## How it is measured
#
# The {glue:text}`sentences` sentences of all descriptions $D_d$, {glue:text}`distinct` of them distinct, are encoded ({glue:text}`encoder`) and grouped by K-means.
# All units of the blocks count; those of the classifier do not.
# K-means begins at random and stops at one of many partitions that are nearly equally tight, so another seed gives another result.
# A share is therefore the mean over {glue:text}`partitions` partitions, each from a seed of its own.
# Its 95 % interval is that of their Jeffreys posteriors over units, mixed in equal parts.
#
# A description is in several clusters, so clips that have nothing to do with each other share one now and then.
# Chance is the share of uninterpretable units if every unit's $K$ clips are drawn at random from the probing set, {glue:text}`draws:,` times for each partition.
# It moves with the share from partition to partition, so *clearly* below or above it is judged by their difference within partitions (95 %).
#
# ## What differs from the paper, and why
#
# - **Chance.** The paper has none. Its Table 8 gives the sizes $n_c$ of clusters of 2000 descriptions. If clips and memberships were independent, $1 - \prod_c P(\mathrm{Bin}(5, n_c / 2000) < \tau)$ of units with random clips would be interpretable: {glue:text}`table8_3:.1%` at $\tau = 3$, {glue:text}`table8_4:.1%` at $\tau = 4$ and {glue:text}`table8_5:.1%` at $\tau = 5$. The largest cluster alone, with {glue:text}`largest` descriptions, gives {glue:text}`largest_4:.1%` at $\tau = 4$. A share in its Figure 6 says something only by how far it is from that.
# - **Algorithm 1 as printed** intersects the multisets of clusters of all $K$ descriptions and asks for $\tau$ common elements. Every one of the $K$ clips would have to share $\tau$ sentences' clusters. By it, {glue:text}`printed:.1%` of the units are uninterpretable, and {glue:text}`printed_chance:.1%` by chance: the paper's figures can hardly rest on it.
# - **Descriptions.** The paper's come from SALMONN, several sentences each, about what is heard. Part of ours is measured (level, onset, repetition), in a limited set of phrases. Clusters are of kinds of statement, and even of wording ("it begins with", "its attack is"), as much as of sounds.
# - **Dead units** give every clip the same activation. They are left out, as are those above their commonest activation on fewer than the largest $K$ clips: {glue:text}`dead` here.
#
# ## Try it yourself
#
# `papermill notebooks/4_5_polysemanticity.ipynb out.ipynb -p tau 5 -p clusters 20`; for music, `-p profile gtzan -p data_dir genres_original -p model ast -p weights path/to/ast`
