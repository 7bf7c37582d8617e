# %% [markdown]
# # The probing set
#
# AND describes a neuron by the clips of a *probing set* $D_p$ that activate it most and least.
# Everything it can say of a neuron must be in those clips and in their descriptions $D_d$, so both deserve a look before any neuron does.
# The paper probes with ESC-50 (2000 recordings of 5 s, 50 classes, 5 folds) and lets SALMONN-13B describe each clip {cite}`wu2024and,piczak2015esc`.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps

# %%
import andlib as al
from andlib.pages import section_2

run = al.open_run(globals())
probing_set, made = run.probing_set, run.made_by()

# %% [markdown]
# ## What is probed

# %% tags=["hide-input"]
al.tables.plain(section_2.by_fold(probing_set), "Clips, classes and source recordings by fold", made)

# %% [markdown]
# This page probes with {glue:text}`title`: {glue:text}`clips` clips of {glue:text}`classes` classes, cut from {glue:text}`sources` sources.
# Networks learn from folds 2–5; fold 1 tests them.
# Source recordings found in more than one fold: {glue:text}`straddling` (with none, nothing heard in training returns in the test).
#
# ## One clip a class, and what is said of it
#
# Beneath each spectrogram (0 to 8 kHz upwards, time to the right) stands the class and then the description that the pipeline reads.
# The description never saw the class: wrong names below are the captioner's own.

# %% tags=["hide-input"]
texts = al.clip_descriptions(run)
first = section_2.first_of_each_class(probing_set)
al.cards.gallery(probing_set, [probing_set.clips[i] for i in first], [texts[i] for i in first], run.profile.seconds)

# %% [markdown]
# ## How much the descriptions carry
#
# The table counts, for each class and each origin of sentences, how often the clip's own class is named, by lemma or synonym.
# Sentences of origin `measured` speak of level, pitch, brightness, repetition, onset, steadiness, noisiness and duration, and name no source by design.

# %% tags=["hide-input"]
named = section_2.captioner_accuracy(run)
origins = sorted(named["origin"].unique())
wide = named.pivot(index="label", columns="origin", values="named").reindex(probing_set.classes).reset_index()
caption = "Share of clips whose description names their class, by origin"
al.tables.plain(wide, caption, run.made_by(*origins), dict.fromkeys(origins, ".0%"))

# %% [markdown]
# Sentences of origin *{glue:text}`namer`* name the class of {glue:text}`named:.0%` of the clips.
# {glue:text}`notes`
#
# ## How hard the classes are
#
# If average loudness in each frequency band told the classes apart, a neuron's preference for a class could be a preference for a band.
# The floor below is the mean and deviation of each of 128 log-mel bands with a linear classifier.
# A synthesised set is reported for a second seed too, which nobody looked at while its recipes were tuned.

# %% tags=["hide-input"]
al.tables.keep(**section_2.words(run, named))
al.tables.plain(section_2.difficulty(run), "Accuracy on fold 1", made, {"accuracy": ".1%"})

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Size.** The paper probes with 2000 clips. Counts of clips inside similarity functions (28, 100, the top 5 %) are meant for that number and scale down below 1000 clips.
# - **Descriptions.** The paper's come from a 13-billion-parameter audio LLM, at 40 GPU hours. Here each description joins sentences of the origins {glue:text}`origins`. On every page, results name the origins they rest on.
#
# ## Try it yourself
#
# `papermill notebooks/2_probing_set.ipynb out.ipynb -p profile esc50 -p data_dir path/to/ESC-50`
#
# Any folder in ESC's layout, in Hugging Face's audiofolder layout, or with one folder a class opens with `al.open_folder("path")`.
