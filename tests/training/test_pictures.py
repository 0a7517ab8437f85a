from pathlib import Path

import numpy as np
import pytest
import torch

from safelight.training.pictures import HELD_OUT, Captions, Pictures, draw_pictures
from safelight.training.tokenizer import UNKNOWN


def test_a_drawing_that_was_killed_is_continued(tmp_path: Path) -> None:
    """With half of its captions missing it draws the rest, and the result is the same."""
    draw_pictures(tmp_path, count=6, size_px=64, processes=1)
    pixels, captions = np.load(tmp_path / "pictures.npy"), tmp_path / "captions.jsonl"
    said = captions.read_text("utf-8")
    captions.write_text("".join(said.splitlines(keepends=True)[:3]), "utf-8")
    draw_pictures(tmp_path, count=6, size_px=64, processes=1)
    assert captions.read_text("utf-8") == said
    assert np.array_equal(np.load(tmp_path / "pictures.npy"), pixels)


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    """A folder holds one set of pictures."""
    draw_pictures(tmp_path, count=2, size_px=64, processes=1)
    with pytest.raises(ValueError, match=r"holds pictures of shape \(2, 64, 64, 3\), not \(3,"):
        draw_pictures(tmp_path, count=3, size_px=64, processes=1)


def test_crops_are_pieces_of_the_pictures() -> None:
    """In a picture whose pixels tell their place, a crop is a run of places."""
    places = np.arange(16, dtype=np.uint8)
    pixels = np.broadcast_to((places[:, None] + 16 * places)[None, ..., None], (1, 16, 16, 3))
    pictures = Pictures(np.ascontiguousarray(pixels))
    crops = pictures.crops(torch.tensor([0] * 20), 4, torch.Generator().manual_seed(0))
    levels = ((crops[:, 0] + 1) * 127.5).round()
    assert crops.shape == (20, 3, 4, 4)
    torch.testing.assert_close(levels[:, 1:] - levels[:, :-1], torch.ones(20, 3, 4))
    assert len({int(level) for level in levels[:, 0, 0]}) > 5


def test_held_out_pictures_are_never_chosen() -> None:
    """Of thousands of draws none is among the last pictures."""
    captions = Captions([["a cat"]] * (2 * HELD_OUT))
    chosen = captions.choose(20 * HELD_OUT, torch.Generator().manual_seed(0))
    assert int(chosen.max()) == HELD_OUT - 1


def test_a_picked_caption_is_one_of_the_picture_s_with_few_words_hidden() -> None:
    """Hidden words are replaced by the unknown word, one in fifty or so."""
    captions = Captions([["one cat sits", "a cat is sitting"]])
    picked = captions.pick(torch.zeros(1000, dtype=torch.long), torch.Generator().manual_seed(0))
    words = [word for text in picked for word in text.split()]
    assert {"one cat sits", "a cat is sitting"} <= set(picked)
    assert 0.01 < words.count(UNKNOWN) / len(words) < 0.03
