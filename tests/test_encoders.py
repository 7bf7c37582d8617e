"""Encoders by name: texts of any length, CLIP and CLAP from folders and through stand-ins of packages, and refusals."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from andlib import encoders
from andlib.encoders import EMBEDDED, audio_text, encode, fingerprint
from andlib.errors import InputError, MissingExtra

TEXT = "a dog barks and rain falls on the roof while one bell rings loudly in wind"
WORDS = TEXT.split()
LONG = " ".join(f"The {WORDS[i % 16]} is {WORDS[i * 7 % 16]} and a bell rings." for i in range(60))


@pytest.fixture(autouse=True)
def forget():
    """Encoders are loaded once a process: what one test loads through a stand-in, the next must not meet."""
    yield
    for load in (encoders._load, encoders._laion_clap, encoders._transformers_clap):
        load.cache_clear()


@pytest.fixture
def offline(monkeypatch):
    """The hub cannot be reached, whatever the machine's network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def plain(text: str) -> np.ndarray:
    """The embedded encoder's own vector, by itself."""
    from sentence_transformers import SentenceTransformer

    folder = str(encoders.embedded_folder())
    return SentenceTransformer(folder, device="cpu").encode([text], normalize_embeddings=True)[0]


def save_tokenizer(folder: Path, limit: int) -> None:
    """A tokenizer of whole words between <s> and </s>, as AutoTokenizer reads it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=limit, **special).save_pretrained(folder)


TINY = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 20}


@pytest.fixture
def clip_folder(tmp_path):
    """A CLIP of 12 text positions and few channels, untrained."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    text = {**TINY, "max_position_embeddings": 12, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    vision = {**TINY, "image_size": 8, "patch_size": 4}
    del vision["vocab_size"]
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(tmp_path / "clip")
    save_tokenizer(tmp_path / "clip", 12)
    return tmp_path / "clip"


@pytest.fixture
def clap_folder(tmp_path):
    """A CLAP of 20 text positions and few channels, untrained."""
    import torch
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    torch.manual_seed(0)
    text = {**TINY, "max_position_embeddings": 20, "pad_token_id": 1, "projection_dim": 8}
    audio = {"patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [1, 1], "hidden_size": 16}
    audio |= {"projection_dim": 8, "num_mel_bins": 64, "spec_size": 256}
    config = ClapConfig(text_config=text, audio_config=audio, projection_dim=8)
    ClapModel(config).save_pretrained(tmp_path / "clap")
    ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(tmp_path / "clap")
    save_tokenizer(tmp_path / "clap", 20)
    return tmp_path / "clap"


TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")


@pytest.mark.parametrize("kind", ["clip", "clap", "sentences"])
def test_an_encoder_whose_tokenizer_is_missing_is_refused(kind, clip_folder, clap_folder, tmp_path, offline):
    """Transformers makes a tokenizer without a word, to which all texts are the same."""
    folder = {"clip": clip_folder, "clap": clap_folder, "sentences": tmp_path / "sentences"}[kind]
    if kind == "sentences":
        shutil.copytree(encoders.embedded_folder(), folder)
    texts = audio_text(str(folder)).texts if kind == "clap" else lambda some: encode(some, str(folder))
    assert not np.allclose(*texts(["a dog barks", "it rains"]))
    for name in TOKENIZER:
        (folder / name).unlink(missing_ok=True)
    encoders._load.cache_clear(), encoders._transformers_clap.cache_clear()
    texts = audio_text(str(folder)).texts if kind == "clap" else lambda some: encode(some, str(folder))
    with pytest.raises(InputError, match="tokenizer|cannot be read"):
        texts(["a dog barks", "it rains"])


# ---------------------------------------------------------------- texts of any length


def test_vectors_have_length_one_and_follow_the_order_of_the_texts():
    a = encode(["a dog barks", "rain", "a dog barks"])
    b = encode(["rain", "a dog barks"])
    assert a.shape == (3, 384) and encode([]).shape == (0, 384)
    np.testing.assert_allclose(np.linalg.norm(a, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(a[0], a[2])
    np.testing.assert_array_equal(a[[1, 0]], b)


@pytest.mark.parametrize("words", [1, 20, 254])
def test_a_text_up_to_the_limit_has_the_encoders_own_vector_bit_by_bit(words):
    text = " ".join(["rain"] * words)
    np.testing.assert_array_equal(encode([text])[0], plain(text))


def test_the_end_of_a_long_text_counts_where_the_plain_encoder_cuts_it():
    texts = [LONG, LONG + " A baby is crying."]
    np.testing.assert_array_equal(plain(texts[0]), plain(texts[1]))
    a, b = encode(texts)
    assert 0.5 < a @ b < 0.9999


def test_a_long_text_is_the_mean_of_its_parts_weighted_by_tokens():
    short, long = "Rain falls.", " ".join(["dog"] * 253) + "."
    a, b = plain(short), plain(long)
    np.testing.assert_allclose(encode([f"{short} {long}"])[0], unit(3 * a + 254 * b), atol=1e-6)


def test_splitting_keeps_every_word_and_prefers_ends_of_sentences():
    encoder = encoders._load(EMBEDDED, encoders.EMBEDDED_SHA256, "cpu")
    parts = encoders._parts(LONG, encoder)
    assert " ".join(parts) == LONG
    assert all(part.endswith(".") for part in parts)
    assert max(encoder.count(parts)) <= encoder.limit == 254
    word = "rain" * 700
    assert "".join(encoders._parts(word, encoder)) == word


# ---------------------------------------------------------------- text encoders by name


def test_unknown_and_unreachable_encoders_are_refused_in_a_sentence(offline):
    with pytest.raises(InputError, match="'all-MiniLM-L12' is neither known .*Did you mean 'all-MiniLM-L12-v2'"):
        encode(["rain"], "all-MiniLM-L12")
    for name in ("all-MiniLM-L12-v2", "nobody/nothing"):
        with pytest.raises(InputError, match=f"Encoder '{name}' .* Go online once, or name a folder"):
            encode(["rain"], name)


def test_a_folder_is_told_by_its_weights(clip_folder):
    before = fingerprint(str(clip_folder))
    (clip_folder / "model.safetensors").write_bytes(b"other")
    assert before != fingerprint(str(clip_folder))
    assert fingerprint("all-MiniLM-L12-v2") == "sentence-transformers/all-MiniLM-L12-v2"


def test_a_folder_of_the_embedded_encoder_gives_its_vectors():
    np.testing.assert_array_equal(encode(["rain"], str(encoders.embedded_folder())), encode(["rain"]))


def test_clip_gives_the_projected_vectors_of_texts_of_any_length(clip_folder):
    import torch
    from transformers import CLIPModel

    network = CLIPModel.from_pretrained(clip_folder).eval()

    def own(words: list[str]) -> np.ndarray:
        ids = torch.tensor([[0, *(4 + WORDS.index(word) for word in words), 2]])
        with torch.no_grad():
            return unit(network.get_text_features(ids).pooler_output[0].numpy())

    whole, cut = encode(["a dog barks", TEXT], str(clip_folder))
    np.testing.assert_allclose(whole, own(WORDS[:3]), atol=1e-5)
    parts = WORDS[:9], WORDS[9:]
    np.testing.assert_allclose(cut, unit(9 * own(parts[0]) + 7 * own(parts[1])), atol=1e-5)


def test_a_network_without_the_weights_asked_for_is_refused(clip_folder):
    from transformers import CLIPModel

    CLIPModel.from_pretrained(clip_folder).text_model.save_pretrained(clip_folder)
    with pytest.raises(InputError, match="is no whole CLIPModel: it lacks"):
        encode(["rain"], str(clip_folder))


def test_clip_by_name_goes_through_open_clip_where_that_is_installed(monkeypatch):
    import torch

    class Tokenizer:
        def encode(self, text):
            return text.split()

        def __call__(self, texts):
            assert all(len(self.encode(text)) <= 75 for text in texts), "open_clip would cut it"
            return torch.tensor([[float(len(self.encode(text))), 1.0] for text in texts])

    class Network(torch.nn.Module):
        def encode_text(self, tokens):
            assert not self.training
            return tokens

    def create_model(name, pretrained, force_quick_gelu, device):
        assert (name, pretrained, force_quick_gelu) == ("ViT-B-32", "openai", True)
        return Network().to(device)

    module = ModuleType("open_clip")
    module.create_model, module.get_tokenizer = create_model, {"ViT-B-32": Tokenizer()}.__getitem__
    monkeypatch.setitem(sys.modules, "open_clip", module)
    assert fingerprint("clip-vit-b-32") == "open_clip ViT-B-32 openai"
    short, long = encode(["two words", " ".join(["word"] * 100)], "clip-vit-b-32")
    np.testing.assert_allclose(short, unit(np.array([2, 1])), atol=1e-6)
    np.testing.assert_allclose(long, unit(np.array([50, 1])), atol=1e-6)


def test_clip_by_name_goes_through_transformers_otherwise(monkeypatch, offline):
    monkeypatch.setitem(sys.modules, "open_clip", None)  # import raises ImportError
    assert fingerprint("clip-vit-b-32") == "transformers openai/clip-vit-base-patch32"
    with pytest.raises(InputError, match="Encoder 'clip-vit-b-32' is neither here"):
        encode(["rain"], "clip-vit-b-32")


# ---------------------------------------------------------------- audio beside text


def real(package: str) -> ModuleType:
    """The package itself, or a skip that names it."""
    try:
        return importlib.import_module(package)
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"{package} is not installed or broken here: {error}")


def test_the_real_open_clip_knows_what_is_asked_of_it():
    open_clip = real("open_clip")
    assert "openai" in open_clip.list_pretrained_tags_by_model("ViT-B-32")
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    assert tokenizer(["a dog barks"]).shape == (1, 77) and len(tokenizer.encode("a dog barks")) == 3


def test_the_real_laion_clap_has_what_is_called():
    module = real("laion_clap").CLAP_Module
    assert {"get_audio_embedding_from_data", "get_text_embedding", "tokenizer"} <= set(dir(module))


def test_audio_and_text_of_transformers_clap_share_a_space(clap_folder, monkeypatch):
    from transformers import ClapModel

    monkeypatch.setitem(sys.modules, "torchaudio", None)  # it is not needed
    pair = audio_text(str(clap_folder))
    assert pair.sample_rate == 48_000 and pair.fingerprint.startswith("transformers ")
    rng = np.random.default_rng(0)
    waves = rng.standard_normal((3, 48_000)).astype(np.float32) * 0.1
    audio, texts = pair.audio([waves[:2], waves[2:]]), pair.texts(["rain", " ".join(WORDS * 3)])
    assert audio.shape == (3, 8) and (audio @ texts.T).shape == (3, 2)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([audio, texts]), axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(pair.audio([waves]), audio, atol=1e-5)
    import torch

    ids = torch.tensor([[0, 4 + WORDS.index("rain"), 2]])
    own = ClapModel.from_pretrained(clap_folder).eval().get_text_features(ids).pooler_output.detach().numpy()
    np.testing.assert_allclose(texts[0], own[0], atol=1e-5)


def test_clap_hears_the_first_ten_seconds_and_not_some_at_random(clap_folder):
    pair, rng = audio_text(str(clap_folder)), np.random.default_rng(0)
    long = rng.standard_normal((1, 720_000)).astype(np.float32)
    np.testing.assert_array_equal(pair.audio([long]), pair.audio([long[:, :480_000]]))


def laion_stand_in(folder: Path) -> ModuleType:
    """laion_clap as version 1.1.7 is called: a module that checks what it is given."""
    import torch

    class CLAP_Module(torch.nn.Module):
        def __init__(self, enable_fusion=True, device=None):
            super().__init__()
            assert enable_fusion is False and device == "cpu"
            self.model = torch.nn.Linear(2, 2, bias=False)

        def tokenize(self, texts, add_special_tokens, verbose):
            return {"input_ids": [text.split() for text in texts]}

        def get_text_embedding(self, x, tokenizer=None, use_tensor=False):
            assert use_tensor and all(len(text.split()) <= 75 for text in x), "laion_clap would cut it"
            return self.model(torch.tensor([[float(len(text.split())), 0.0] for text in x]))

        def get_audio_embedding_from_data(self, x, use_tensor=False):
            assert not use_tensor and isinstance(x, np.ndarray) and x.shape[1] <= 480_000
            return unit(np.stack([x.mean(1), np.ones(len(x))], 1))

    module = ModuleType("laion_clap")
    module.CLAP_Module = CLAP_Module
    state = {"module.weight": torch.eye(2), "module.text_branch.embeddings.position_ids": torch.arange(3)}
    # as the training wrote it: beside the weights, numbers of numpy's
    torch.save({"epoch": 3, "loss": np.float64(0.5), "state_dict": state}, folder / "630k-audioset-best.pt")
    return module


def test_laion_clap_is_called_as_it_wants(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "laion_clap", laion_stand_in(tmp_path))
    file = str(tmp_path / "630k-audioset-best.pt")
    by_file = audio_text(file)
    np.testing.assert_allclose(by_file.texts(["rain", "rain " * 100]), [[1, 0], [1, 0]], atol=1e-6)
    audio = by_file.audio([np.ones((2, 500_000), np.float32), np.zeros((1, 4), np.float32)])
    np.testing.assert_allclose(audio, unit(np.array([[1, 1], [1, 1], [0, 1]])), atol=1e-6)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda repository, name: str(tmp_path / name))
    by_name = audio_text("laion_clap")
    np.testing.assert_array_equal(by_name.texts(["rain"]), by_file.texts(["rain"]))
    assert by_name.sample_rate == 48_000 and by_name.fingerprint != by_file.fingerprint


def test_a_checkpoint_that_holds_code_is_not_run(monkeypatch, tmp_path):
    import torch

    monkeypatch.setitem(sys.modules, "laion_clap", laion_stand_in(tmp_path))
    torch.save({"state_dict": SimpleNamespace()}, tmp_path / "code.pt")
    with pytest.raises(InputError, match="no checkpoint of weights alone, so it was not read"):
        audio_text(str(tmp_path / "code.pt")).texts(["rain"])


@pytest.mark.parametrize("error", [ImportError("No module named x"), OSError("libcudart.so: not found")])
def test_a_missing_or_broken_laion_clap_names_the_extra(monkeypatch, error):
    def fail(name, *rest, imported=__import__):
        if name == "laion_clap":
            raise error
        return imported(name, *rest)

    monkeypatch.setattr("builtins.__import__", fail)
    with pytest.raises(MissingExtra, match=r"laion_clap is missing or broken .*\[paper\]"):
        audio_text("laion_clap").texts(["rain"])


def test_unknown_and_unreachable_pairs_are_refused_in_a_sentence(offline):
    with pytest.raises(
        InputError, match="Encoder 'clap' is neither known .*Valid names: embedded, whisper, laion_clap"
    ):
        audio_text("clap")
    with pytest.raises(InputError, match="Encoder 'laion/clap-htsat-unfused' .* Go online once"):
        audio_text("laion/clap-htsat-unfused").texts(["rain"])


def test_the_embedded_pair_is_in_the_embedded_encoders_space():
    pair = audio_text()
    np.testing.assert_array_equal(pair.texts(["rain"]), encode(["rain"]))
    noise = np.random.default_rng(0).standard_normal((2, 16_000)).astype(np.float32)
    assert pair.audio([noise, noise]).shape == (4, 384) and pair.sample_rate == 16_000


@pytest.mark.parametrize("kind", ["embedded", "whisper", "clip", "clap", "sentences"])
def test_an_encoder_runs_where_it_is_told_to(kind, clip_folder, clap_folder, monkeypatch):
    """On torch's device without memory a whole pass works, and what it gives cannot be read."""
    from andlib.networks import whisper

    monkeypatch.setattr(whisper, "SHORT", whisper.SHORT | {"random_encoder": 0})  # Whisper need not be in the cache
    monkeypatch.setattr(encoders.weights, "infinite", lambda network: [])  # it would read weights
    name = str({"clip": clip_folder, "clap": clap_folder, "sentences": encoders.embedded_folder()}.get(kind, kind))

    def vectors(device: str) -> np.ndarray:
        whisper._projection.cache_clear()
        if kind in ("clip", "sentences"):
            return encode(["rain"], name, device=device)
        return audio_text(name, device).audio([np.ones((1, 16_000), np.float32)])

    with pytest.raises((NotImplementedError, RuntimeError), match="meta tensor"):
        vectors("meta")
    assert vectors("cpu").shape == (1, 8 if kind in ("clip", "clap") else 384)
    whisper._projection.cache_clear()


def test_sounds_that_do_not_fit_are_encoded_in_halves(clap_folder, monkeypatch):
    import torch

    pair, sizes = audio_text(str(clap_folder)), []
    waves = np.random.default_rng(0).standard_normal((5, 48_000)).astype(np.float32)
    whole = pair.audio([waves])
    heard, texts = encoders._transformers_clap(str(clap_folder), pair.fingerprint, "cpu")

    def small(batch):
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return heard(batch)

    monkeypatch.setattr(encoders, "_transformers_clap", lambda *named: (small, texts))
    np.testing.assert_allclose(audio_text(str(clap_folder)).audio([waves]), whole, atol=1e-5)
    assert sizes == [5, 3, 2, 1, 2]


def test_naming_a_pair_loads_no_network():
    code = "import sys; from andlib.encoders import audio_text; audio_text().fingerprint; print('torch' in sys.modules)"
    root = Path(encoders.__file__).parents[1]
    shown = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"
