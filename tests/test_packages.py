"""The paper's other packages themselves, most with random weights: open_clip, laion_clap, bert_score, torchaudio, NLTK.

`make packages` installs them into an environment of their own and runs this; elsewhere what is missing is skipped."""

import json
import pickle
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from andlib import encoders, frontend, paths, tagging
from andlib.llms.llm import unpacked
from andlib.mini.synthesis import synthesc
from andlib.pages import section_4_2

PAGE = (paths.root() / "book/what_ran_where.md").read_text(encoding="utf-8")
TEXTS = ["rain", "a dog barks twice in the distance", "loud, high-pitched and clear", "the engine hums"]


def package(name: str):
    """A package, or a skip that names it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return __import__(name)
        except (ImportError, OSError, RuntimeError) as error:
            pytest.skip(f"{name} is missing or broken here ({error}): make packages")


@pytest.fixture(scope="module")
def sounds():
    """Eight synthesised sounds of two seconds at 48 kHz, [8, samples]."""
    probing = synthesc()
    return np.stack([probing.read(clip, 48_000) for clip in probing.clips[:: len(probing) // 8][:8]])


@pytest.fixture(autouse=True)
def quiet(recwarn):
    """What packages warn of is theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# CLIP, the paper's encoder for DB


def clip_folder(network, tokenizer, folder: Path) -> Path:
    """An open_clip ViT-B/32 with its tokenizer as transformers has them."""
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    model = CLIPModel(CLIPConfig()).eval()  # whose defaults are ViT-B/32
    own, text = network.state_dict(), model.text_model
    renamed = {
        "embeddings.token_embedding.weight": own["token_embedding.weight"],
        "embeddings.position_embedding.weight": own["positional_embedding"],
        "final_layer_norm.weight": own["ln_final.weight"],
        "final_layer_norm.bias": own["ln_final.bias"],
    }
    parts = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    parts["self_attn.out_proj"] = "attn.out_proj"
    for block in range(12):
        old, new = f"transformer.resblocks.{block}", f"encoder.layers.{block}"
        for kind in ("weight", "bias"):
            for name, part in parts.items():
                renamed[f"{new}.{name}.{kind}"] = own[f"{old}.{part}.{kind}"]
            for name, part in zip("qkv", own[f"{old}.attn.in_proj_{kind}"].chunk(3), strict=True):
                renamed[f"{new}.self_attn.{name}_proj.{kind}"] = part
    missing, unexpected = text.load_state_dict(renamed, strict=False)
    assert not unexpected and not [name for name in missing if "position_ids" not in name]
    with torch.no_grad():
        model.text_projection.weight.copy_(own["text_projection"].T)
    model.save_pretrained(folder)
    vocab = {
        {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}.get(word, word): number
        for word, number in tokenizer.encoder.items()
    }
    CLIPTokenizer(vocab, sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.get)).save_pretrained(folder)
    return folder


def test_open_clip_and_transformers_give_one_text_one_vector(tmp_path, monkeypatch):
    import torch

    open_clip = package("open_clip")
    torch.manual_seed(0)
    network = open_clip.create_model("ViT-B-32", force_quick_gelu=True)
    monkeypatch.setattr(
        open_clip, "create_model", lambda *_, **__: network
    )  # with random weights: OpenAI's are fetched
    by_open_clip = encoders._open_clip_texts(open_clip)
    folder = clip_folder(network, open_clip.get_tokenizer("ViT-B-32"), tmp_path)
    np.testing.assert_allclose(encoders.encode(TEXTS, str(folder)), by_open_clip.vectors(TEXTS), atol=1e-5)
    long = " ".join(TEXTS * 10)  # is cut into parts
    np.testing.assert_allclose(encoders.encode([long], str(folder)), encoders._encode([long], by_open_clip), atol=1e-5)


# CLAP, the paper's pair of encoders for TAB


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub with small RoBERTas and tokenizers in the place of those that laion_clap and bert_score fetch."""
    from huggingface_hub import constants
    from tokenizers import pre_tokenizers
    from transformers import BartTokenizer, BertTokenizer, RobertaConfig, RobertaModel, RobertaTokenizer

    hub = tmp_path_factory.mktemp("hub")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {word: i for i, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *letters])}
    bert = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklm"])}
    size = {"vocab_size": len(vocab), "num_hidden_layers": 2, "max_position_embeddings": 514, "pad_token_id": 1}
    large = {**size, "num_hidden_layers": 18, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    parts = {
        "roberta-base": [RobertaTokenizer(vocab, []), RobertaModel(RobertaConfig(**size, type_vocab_size=1))],
        "roberta-large": [
            RobertaTokenizer(vocab, [], model_max_length=512),
            RobertaModel(RobertaConfig(**large, type_vocab_size=1)),
        ],
        "facebook/bart-base": [BartTokenizer(vocab, [])],
        "bert-base-uncased": [BertTokenizer(bert)],
    }
    for name, saved in parts.items():
        place = hub / f"models--{name.replace('/', '--')}"
        for part in saved:
            part.save_pretrained(place / "snapshots" / "0")
        (place / "refs").mkdir()
        (place / "refs" / "main").write_text("0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(hub))
        patch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(hub), raising=False)
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        yield hub


@pytest.mark.parametrize("fused", [False, True], ids=["alone", "fused"])
def test_laion_clap_reads_its_checkpoints_and_hears_and_reads(hub, sounds, tmp_path, fused):
    import torch

    laion_clap = package("laion_clap")
    torch.manual_seed(0)
    network = laion_clap.CLAP_Module(enable_fusion=fused, device="cpu")  # HTSAT-tiny
    state = {f"module.{key}": value for key, value in network.model.state_dict().items()}
    torch.save({"epoch": 1, "state_dict": state}, tmp_path / "published.pt")
    pair = encoders.audio_text(str(tmp_path / "published.pt"))
    audio, texts = pair.audio([sounds[:5], sounds[5:]]), pair.texts(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([audio, texts]), axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(audio, network.get_audio_embedding_from_data(sounds), atol=1e-5)
    np.testing.assert_allclose(texts, network.get_text_embedding(TEXTS), atol=1e-5)
    assert audio.shape == (8, 512) and np.linalg.matrix_rank(audio, tol=1e-4) > 1


# BERTScore, Table 3's


def test_bert_score_finds_a_text_most_like_itself(hub):
    package("bert_score")
    scores = section_4_2._bert_score(TEXTS, [TEXTS[0], *TEXTS[:0:-1]])
    assert len(scores) == len(TEXTS) and scores.argmax() == 0 and np.isfinite(scores).all()


# torchaudio, whose Kaldi front end AST's and BEATs' authors used


@pytest.mark.parametrize("front_end", [frontend.AST, frontend.BEATS], ids=lambda front_end: front_end.name)
def test_our_log_mel_is_kaldi_s_by_torchaudio(sounds, front_end):
    import torch

    kaldi = package("torchaudio").compliance.kaldi
    waves = torch.tensor(sounds[:, ::3].copy())  # the rate does not matter here
    centred = waves - waves.mean(1, keepdim=True) * front_end.remove_clip_mean
    window = {1.0: "hanning", 0.85: "povey"}[front_end.window_power]
    given = {"num_mel_bins": 128, "sample_frequency": 16_000, "window_type": window, "dither": 0.0}
    given |= {"htk_compat": True, "use_energy": False}
    theirs = torch.stack([kaldi.fbank(wave[None] * front_end.scale, **given) for wave in centred])
    ours = frontend.log_mel(waves, front_end)
    apart = (ours - theirs).abs().flatten().sort().values
    assert apart[-1] < 0.1 and apart[len(apart) * 999 // 1000] < 1e-3  # the most where a band is all but empty


# NLTK's tagger, which Section 3.5 uses


@pytest.fixture(scope="module")
def perceptron(tmp_path_factory):
    """NLTK's tagger with the weights of textblob-aptagger, from which NLTK took it over, as the files that it reads."""

    class Plain(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) != ("__builtin__", "set"):
                raise pickle.UnpicklingError(f"{module}.{name} is not read")
            return set

    if not find_spec("textblob_aptagger"):
        pytest.skip("textblob-aptagger is not installed here: make packages")
    with (paths.installed("textblob_aptagger") / "trontagger-0.1.0.pickle").open("rb") as file:
        weights, tagdict, classes = Plain(file).load()
    name = "averaged_perceptron_tagger_eng"
    folder = tmp_path_factory.mktemp("nltk") / "taggers" / name
    folder.mkdir(parents=True)
    for part, value in {"weights": weights, "tagdict": tagdict, "classes": sorted(classes)}.items():
        (folder / f"{name}.{part}.json").write_text(json.dumps(value))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nltk.data.path", [str(folder.parents[1])])
        tagging._perceptron.cache_clear()
        yield
    tagging._perceptron.cache_clear()


def test_nltk_s_tagger_and_hanta_mostly_agree_on_what_the_language_model_wrote(perceptron):
    rows = [json.loads(line) for line in unpacked(paths.completions("mini")).splitlines()]
    texts = sorted({row["text"] for row in rows if row["sampling"]["max_tokens"] == 192})
    by_hanta, by_nltk = ([token for text in texts for token in tagging.tag(text, name)] for name in ("hanta", "nltk"))
    assert [token.word for token in by_hanta] == [token.word for token in by_nltk]
    alike = np.mean([one.pos == other.pos for one, other in zip(by_hanta, by_nltk, strict=True)])
    ours, theirs = ({i for i, token in enumerate(by) if token.pos == "adjective"} for by in (by_hanta, by_nltk))
    f1 = 2 * len(ours & theirs) / (len(ours) + len(theirs))
    said = f"of {len(by_hanta):,} words of the kept summaries, {alike:.1%}".replace("%", " %")
    assert said in PAGE and f"F1 = {f1:.2f} " in PAGE


@pytest.mark.parametrize("name", ["torch", "transformers", "open_clip_torch", "laion-clap", "bert-score", "torchaudio"])
def test_the_page_names_the_versions_that_ran(name):
    if not find_spec("laion_clap"):
        pytest.skip("this is not the environment of make packages")
    assert f"| {name} | {version(name).partition('+')[0]} |" in PAGE
