"""Which of several names a language model finds likely as its answer, in the place of what it writes (Section 3.3)."""

import json
import os
from collections.abc import Iterator, Sequence

import numpy as np

from andlib.llms.clients import TransformersLLM
from andlib.llms.llm import Answer, Chat, Sampling


class Scorer:
    """A language model of this process that scores names instead of writing. llm: the model."""

    def __init__(self, llm: TransformersLLM):
        self.llm, self.model, self.revision = llm, llm.model, llm.revision

    def answers(self, chats: Sequence[Chat], sampling: Sampling) -> Iterator[tuple[int, Answer]]:
        """Of each chat, whose last turn holds names (`prompts.scored`), the log probability in nats of each name behind
        "Answer:", all of its tokens together, as a list in JSON. What all chats begin with is worked through once, and
        the names of a chat together: each sees the chat and its own tokens alone."""
        import torch

        tokenizer, network = self.llm.loaded
        told = [tokenizer.apply_chat_template(chat[:-1], add_generation_prompt=True, tokenize=False) for chat in chats]
        ids = [tokenizer(f"{text}Answer:", add_special_tokens=False)["input_ids"] for text in told]
        shared = min(len(os.path.commonprefix(ids)), min(map(len, ids)) - 1)
        with torch.inference_mode():
            past = network(torch.tensor([ids[0][:shared]], device=network.device), use_cache=True).past_key_values
            for number, (row, chat) in enumerate(zip(ids, chats, strict=True)):
                names = [tokenizer(f" {name}", add_special_tokens=False)["input_ids"] for name in chat[-1]["content"]]
                tokens = np.concatenate([row[shared:], *names]).astype(int)
                sizes = [len(row) - shared, *map(len, names)]
                part = np.repeat(range(len(sizes)), sizes)  # 0: the chat, 1: the first name, ...
                place = np.concatenate([np.arange(size) for size in sizes]) + np.where(part > 0, sizes[0], 0)
                seen = np.hstack([np.ones((len(tokens), shared), bool), np.tril((part == part[:, None]) | (part == 0))])
                hidden = torch.zeros(seen.shape).masked_fill(~torch.from_numpy(seen), torch.finfo(torch.float32).min)
                said = network(
                    torch.from_numpy(tokens[None]).to(network.device),
                    attention_mask=hidden[None, None].to(network.device, network.dtype),
                    position_ids=torch.from_numpy(shared + place[None]).to(network.device),
                    past_key_values=past,
                ).logits[0]
                past.crop(-len(tokens))
                own = np.arange(sizes[0], len(tokens))  # tokens of names, and behind which each stands
                before = np.where(place[own] == sizes[0], sizes[0] - 1, own - 1)
                likely = said[before].float().log_softmax(-1)[range(len(own)), tokens[own]].cpu().numpy()
                yield number, Answer(json.dumps(np.bincount(part[own], likely)[1:].round(4).tolist()))
