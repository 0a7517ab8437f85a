"""The judge: what it is asked, what it learns, how marks are given."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.diffusion.weights import CheckpointError
from safelight.training.__main__ import SHIPPED
from safelight.training.exam import (
    FIRST_NUMBER,
    KINDS,
    ROWS,
    Question,
    Share,
    each,
    marks,
    questions,
    tally,
)
from safelight.training.export import JUDGE
from safelight.training.judge import KEPT_SHARE, Judge, JudgeStage, Verdict, judging_loss, right
from safelight.training.judged import (
    FIRST_KEPT,
    FIRST_LEARNT,
    NUMBERS,
    UNSEEN,
    Answers,
    answers,
    judged_scene,
    spoilt,
    through,
    to_pictures,
)
from safelight.training.report import BEGIN, END, Report, open_judge, save_judge, write_into
from safelight.training.world import (
    CAST,
    COLOURS,
    HELD_OUT_PAIRS,
    HELD_OUT_STYLE,
    HELD_OUT_SUBJECT,
    Actor,
    Garment,
    Scene,
    labels,
)

PAIR = Scene((Actor("cat", "green"), Actor("boat", "red")), "sea", True)
HATTED = Scene((Actor("dog", "blue", garment=Garment("hat", "red")),), "snow", True)


def certain(scene: Scene) -> Verdict:
    """The verdict of a judge who makes no mistake."""
    truth = answers([scene])
    asked = truth.subject[0][truth.subject[0] != UNSEEN]
    verdict = Verdict(
        torch.full((1, len(CAST)), -9.0),
        torch.zeros(1, len(CAST), len(COLOURS)),
        torch.zeros(1, len(CAST), 4),
        torch.zeros(1, len(CAST), len(COLOURS)),
        *(torch.eye(wide)[wanted] for wide, wanted in zip((8, 5, 3), truth[4:], strict=True)),
    )
    for place, subject in enumerate(asked.tolist()):
        verdict.presence[0, subject] = 9.0 - place
        for scores, wanted in zip(verdict[1:4], truth[1:4], strict=True):
            if int(wanted[0, place]) != UNSEEN:
                scores[0, subject, int(wanted[0, place])] = 9.0
    return verdict


def asked(scene: Scene, kind: str = "single") -> Question:
    """A question about a scene."""
    return replace(questions(KINDS.index(kind) + 1)[-1], scene=scene)


def test_the_labels_of_a_pair_tell_both_members() -> None:
    """Each has its subject and its colour; nobody wears anything."""
    truth = answers([PAIR, HATTED])
    cast, colours = list(CAST), list(COLOURS)
    assert truth.subject.tolist() == [
        [cast.index("cat"), cast.index("boat")],
        [cast.index("dog"), UNSEEN],
    ]
    assert truth.colour[0].tolist() == [colours.index("green"), colours.index("red")]
    assert truth.clothing.tolist() == [[0, 0], [1, UNSEEN]]
    assert truth.clothing_colour[1].tolist() == [colours.index("red"), UNSEEN]
    assert truth.figures.tolist() == [1, 0]


@pytest.mark.parametrize("scene", [PAIR, HATTED])
def test_the_truth_is_right_and_costs_next_to_nothing(scene: Scene) -> None:
    """A verdict that is the truth is right in everything."""
    truth = answers([scene])
    results = right(certain(scene), truth)
    assert all(bool(result.all()) for result in results.values())
    louder = Verdict(*(20 * scores for scores in certain(scene)))
    assert float(judging_loss(louder, truth)) < 1e-3


def test_what_is_not_to_be_seen_costs_nothing() -> None:
    """In a pencil drawing any colour may be read."""
    sketch = replace(PAIR, style="sketch")
    truth, verdict = answers([sketch]), certain(sketch)
    other = verdict._replace(colour=torch.randn(verdict.colour.shape))
    assert float(judging_loss(verdict, truth)) == float(judging_loss(other, truth))
    assert right(other, truth)["colour"].numel() == 0


def test_the_judge_looks_for_each_subject_where_it_is() -> None:
    """Colours are read from each subject's own place, whatever else is in the picture."""
    torch.manual_seed(0)
    judge = Judge().eval()
    assert sum(weight.numel() for weight in judge.parameters()) < 750_000
    verdict = judge(to_pictures([PAIR, HATTED], [0, 1]))
    assert verdict.colour.shape == (2, len(CAST), len(COLOURS))
    assert not torch.allclose(verdict.colour[0, 0], verdict.colour[0, 9])


def test_a_judge_learns_from_pictures_that_no_question_asks_for() -> None:
    """Numbers to learn from, to measure on and to ask about are three ranges."""
    assert FIRST_LEARNT > 512
    learnt = torch.randint(FIRST_LEARNT, NUMBERS, (1000,))
    assert not set(learnt.tolist()) & {question.number for question in questions(500)}
    scenes = [judged_scene(number) for number in range(600)]
    figures = {(actor.subject, actor.colour) for scene in scenes for actor in scene.actors}
    assert figures & HELD_OUT_PAIRS
    assert HELD_OUT_SUBJECT in {subject for subject, _ in figures}
    assert HELD_OUT_STYLE in {scene.style for scene in scenes}


def test_the_loss_falls_in_a_few_steps() -> None:
    """On one small batch, again and again, a judge learns what it shows."""
    torch.manual_seed(0)
    stage = JudgeStage()
    optimizer = torch.optim.Adam(stage.network.parameters(), 2e-3)
    losses: list[float] = []
    for _ in range(12):
        loss = stage.loss(8, torch.Generator().manual_seed(1), 0.0)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_some_of_each_batch_went_through_an_autoencoder() -> None:
    """What is kept is drawn once; its scenes go with it."""
    torch.manual_seed(0)
    plain = AutoencoderKL(VAEConfig(width=8, multipliers=(1, 1, 1, 1), blocks=1, groups=1))
    numbers = range(FIRST_KEPT, FIRST_KEPT + 3)
    kept = through(plain, numbers)
    assert kept.pictures.shape == (3, 3, 128, 128)
    assert list(kept.scenes) == [judged_scene(number) for number in numbers]
    seen: list[Tensor] = []
    stage = JudgeStage(kept)
    stage.network.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    stage.loss(6, torch.Generator().manual_seed(0), 0.0)
    shown = seen[0].add(1).mul(127.5).round().to(torch.uint8)
    old = [any(torch.equal(one, other) for other in kept.pictures) for one in shown]
    assert old == [False] * 4 + [True] * round(KEPT_SHARE * 6)


def test_spoiling_keeps_the_picture_and_follows_from_the_generator() -> None:
    """The same generator spoils alike; no picture changes beyond recognition."""
    pictures = to_pictures([PAIR, HATTED], [0, 1])
    first, second = (spoilt(pictures, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert 0 < float((first - pictures).abs().mean()) < 0.2


def test_questions_are_always_the_same_and_of_all_kinds() -> None:
    """A shorter exam is the beginning of a longer one."""
    assert questions(10) == questions(20)[:10]
    assert {question.kind for question in questions(5)} == {"single", "pair", "held out"}
    held_out = [question.scene.actors[0] for question in questions(50)[4::5]]
    assert {(actor.subject, actor.colour) for actor in held_out} <= HELD_OUT_PAIRS
    seen = [q.scene for q in questions(200) if q.kind != "held out"]
    assert not {(a.subject, a.colour) for s in seen for a in s.actors if a.named} & HELD_OUT_PAIRS
    assert questions(1)[0].number == FIRST_NUMBER


def test_only_what_is_named_is_marked() -> None:
    """A prompt without a colour or a setting gets no mark for them."""
    bare = Scene((Actor("cat", "orange", named=False),), "meadow")
    assert set(marks(asked(bare), certain(bare))) == {"subject"}
    given = marks(asked(HATTED), certain(HATTED))
    assert given == dict.fromkeys(
        ("setting", "subject", "colour", "clothing", "clothing colour"), True
    )


def test_a_pair_needs_both_members_in_their_own_colours() -> None:
    """Colours that have changed places are wrong, and so is a missing member."""
    question = asked(PAIR, "pair")
    assert marks(question, certain(PAIR)) == {"setting": True, "pair": True, "pair colours": True}
    swapped = replace(PAIR, actors=(Actor("cat", "red"), Actor("boat", "green")))
    assert marks(question, certain(swapped))["pair"]
    assert not marks(question, certain(swapped))["pair colours"]
    other = replace(PAIR, actors=(Actor("cat", "green"), Actor("car", "red")))
    assert not marks(question, certain(other))["pair"]


def test_the_wrong_garment_is_in_no_colour() -> None:
    """A scarf for a hat is wrong, and its colour does not make up for it."""
    scarf = Scene((Actor("dog", "blue", garment=Garment("scarf", "red")),), "snow", True)
    given = marks(asked(HATTED), certain(scarf))
    assert not given["clothing"]
    assert not given["clothing colour"]


def test_the_table_tells_results_and_targets() -> None:
    """Held-out pairs may be five points below the pairs that were seen."""
    shares = tally([{"subject": True, "held-out subject": False}] * 3 + [{"subject": False}])
    report = Report(shares, shares, shares, 4)
    assert report.target("held-out subject") == pytest.approx(0.70)
    lines = report.markdown().splitlines()
    assert "| subject | 4 | 75.0% | 98.0% | 75.0% | 75.0% |" in lines
    assert len(lines) == 4 + 2
    assert shares["pair"] == Share(0, 0)
    assert set(shares) == set(ROWS)


def test_a_verdict_is_taken_apart_picture_by_picture() -> None:
    """Each part is the verdict on one picture."""
    both = Verdict(*(torch.cat(pair) for pair in zip(certain(PAIR), certain(HATTED), strict=True)))
    first, second = each(both)
    assert all(torch.equal(a, b) for a, b in zip(first, certain(PAIR), strict=True))
    assert labels(HATTED).subject == int(second.presence.argmax())


def test_a_judge_comes_back_from_its_file(tmp_path: Path) -> None:
    """Half precision changes little; a missing file is named."""
    judge, path = Judge().eval(), tmp_path / "judge.safetensors"
    save_judge(path, judge, {})
    assert path.stat().st_size < 1_500_000
    picture = to_pictures([PAIR], [0])
    torch.testing.assert_close(presence(open_judge(path), picture), presence(judge, picture),
                               rtol=0, atol=0.05)  # fmt: skip
    with pytest.raises(CheckpointError, match=r"there is no such file$"):
        open_judge(tmp_path / "none.safetensors")


def test_the_judge_that_is_shipped_knows_the_drawn_world() -> None:
    """Of fifty questions it misreads next to nothing in the drawings."""
    judge, exam = open_judge(SHIPPED / JUDGE), questions(50)
    pictures = to_pictures([q.scene for q in exam], [q.number for q in exam])
    with torch.no_grad():
        verdicts = each(judge(pictures))
    shares = tally([marks(q, verdict) for q, verdict in zip(exam, verdicts, strict=True)])
    for row in ("subject", "colour", "setting", "pair", "held-out subject", "held-out colour"):
        assert shares[row].value >= 0.9, row
    assert sum(share.right for share in shares.values()) >= 0.97 * sum(
        share.total for share in shares.values()
    )


def presence(judge: Judge, picture: Tensor) -> Tensor:
    """Which subjects a judge sees."""
    with torch.no_grad():
        verdict: Verdict = judge(picture)
    return verdict.presence


def test_the_card_keeps_everything_but_the_table(tmp_path: Path) -> None:
    """The table is replaced each time; a card without a place for it is refused."""
    card = tmp_path / "README.md"
    card.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", "utf-8")
    write_into(card, "new")
    write_into(card, "newer")
    assert card.read_text("utf-8") == f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"
    card.write_text("nothing", "utf-8")
    with pytest.raises(ValueError, match=r"has no place for the report: put <!-- judge: begin"):
        write_into(card, "new")


def test_answers_are_labels_of_the_whole_batch() -> None:
    """Scenes keep their order."""
    truth: Answers = answers([HATTED, PAIR])
    assert truth.setting.tolist() == [labels(HATTED).setting, labels(PAIR).setting]
