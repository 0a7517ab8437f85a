import pytest
from aiohttp import web

from safelight_server import protocol
from safelight_server.sockets import Client, Clients, Frame, Weight


def client(name: str = "me") -> Client:
    """A client whose socket is not connected: what is put stays waiting."""
    return Client(name, web.WebSocketResponse())


def waiting(who: Client) -> list[str | bytes]:
    """What waits to be sent."""
    return [frame.content for frame in who.waiting]


def progress(value: int) -> Frame:
    """A progress message."""
    return Frame.of(protocol.Progress(value, 100, "p", "n"))


def test_only_the_newest_preview_waits() -> None:
    """Whoever is slow sees the latest picture, not all of them late."""
    slow = client()
    slow.put(Frame("state"))
    for number in range(5):
        slow.put(Frame(bytes([number]), Weight.PREVIEW))
    assert waiting(slow) == ["state", b"\x04"]


def test_all_progress_waits_while_little_does() -> None:
    """In a short burst nothing is left out."""
    brisk = client()
    for value in range(20):
        brisk.put(progress(value))
    assert len(brisk.waiting) == 20


def test_progress_gives_way_to_newer_progress_and_state_never_does() -> None:
    """After a long silence of the client: every state in order, and the last progress."""
    slow = client()
    states = [f"state {number}" for number in range(1000)]
    for number, state in enumerate(states):
        slow.put(Frame(state))
        slow.put(progress(number))
    kept = waiting(slow)
    assert [each for each in kept if str(each).startswith("state")] == states
    assert len(kept) == len(states) + 1
    assert kept[-1] == progress(999).content


@pytest.mark.parametrize(("count", "size"), [(50_001, 1), (65, 2**20)])
def test_a_client_that_leaves_too_much_unread_is_given_up(count: int, size: int) -> None:
    """By number or by bytes: nothing more is kept for it."""
    lost = client()
    for _ in range(count + 100):
        lost.put(Frame("x" * size))
    assert len(lost.waiting) == count


def test_the_queue_knows_its_bytes_after_dropping() -> None:
    """Dropped frames do not count towards the bound."""
    slow = client()
    for _ in range(1000):
        slow.put(Frame(b"x" * 2**20, Weight.PREVIEW))
    slow.put(Frame("state"))
    assert len(slow.waiting) == 2


def test_a_stale_socket_takes_nothing_along_when_it_leaves() -> None:
    """The newer socket of the same id goes on hearing."""
    clients = Clients()
    old, new = client(), client()
    clients.join(old)
    clients.join(new)
    clients.leave(old)
    assert clients.of("me") is new
    clients.leave(new)
    assert clients.of("me") is None


def test_a_broadcast_reaches_everybody() -> None:
    """Each in its own queue."""
    clients = Clients()
    everybody = [client(name) for name in "abc"]
    for each in everybody:
        clients.join(each)
    clients.broadcast([protocol.Status(3)])
    message = '{"type":"status","data":{"status":{"exec_info":{"queue_remaining":3}}}}'
    assert [waiting(each) for each in everybody] == [[message]] * 3
