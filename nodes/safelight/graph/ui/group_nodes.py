"""Group nodes, which older files used before there were subgraphs.

The file holds their parts by index and their inner wires by number of part;
what they show outside is not written down but follows from a rule: every input
and every output that nothing inside is wired to.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from safelight.graph.ui.reading import (
    ENTRANCE,
    Board,
    Socket,
    UiNode,
    Wire,
    mapping,
    read_node,
    sequence,
)


def group_board(
    definition: Mapping[str, object], instance: UiNode, tell: Callable[[str], None]
) -> Board:
    """Return the board that a group node stands for, holding the instance's values."""
    tell("it is a group node, an old form, rebuilt from its parts")
    nodes = {node.id: node for node in _parts(definition, tell)}
    nodes = {node.id: node for node in _with_values(list(nodes.values()), instance, tell)}
    wires = dict(_wires(definition))
    inputs: list[Socket] = []
    for node in list(nodes.values()):
        sockets = list(_wired(node, wires))
        for index, socket in enumerate(sockets):
            if socket.link is None:
                link = f"in{len(inputs)}"
                wires[link] = Wire(ENTRANCE, len(inputs), node.id, index)
                sockets[index] = dataclasses.replace(socket, link=link)
                inputs.append(Socket(_free(socket.name, node, inputs), socket.type))
        nodes[node.id] = dataclasses.replace(node, inputs=tuple(sockets))
    outputs = tuple(_outputs(definition, nodes, wires))
    if len(outputs) != len(instance.outputs):
        tell(f"it shows {len(instance.outputs)} outputs, its parts have {len(outputs)} free")
    return Board(instance.type, nodes, wires, tuple(inputs), outputs)


def _parts(definition: Mapping[str, object], tell: Callable[[str], None]) -> Iterator[UiNode]:
    for index, entry in enumerate(sequence(definition.get("nodes"))):
        try:
            yield read_node(entry, index)
        except ValueError as error:
            tell(f"its part {index} was left out: {error}")


def _with_values(
    nodes: list[UiNode], instance: UiNode, tell: Callable[[str], None]
) -> Iterator[UiNode]:
    """Yield the parts, each with its stretch of the instance's values."""
    given = [] if isinstance(instance.values, Mapping) else list(instance.values)
    lengths = [0 if isinstance(node.values, Mapping) else len(node.values) for node in nodes]
    if len(given) != sum(lengths):
        if given:
            tell("its values do not fit its parts, which keep those they were grouped with")
        yield from nodes
        return
    start = 0
    for node, length in zip(nodes, lengths, strict=True):
        own = given[start : start + length]
        start += length
        yield dataclasses.replace(node, values=own, named={}) if own else node


def _wires(definition: Mapping[str, object]) -> Iterator[tuple[str, Wire]]:
    for index, link in enumerate(sequence(definition.get("links"))):
        match link:
            case [int(source), int(slot), int(target), int(target_slot), *_]:
                yield f"wire{index}", Wire(str(source), slot, str(target), target_slot)
            case _:  # from outside: the instance's own sockets tell of it
                pass


def _wired(node: UiNode, wires: Mapping[str, Wire]) -> Iterator[Socket]:
    """Yield the inputs of a part with the inner wires that feed them."""
    links = {wire.target_slot: name for name, wire in wires.items() if wire.target == node.id}
    for index, socket in enumerate(node.inputs):
        yield dataclasses.replace(socket, link=links.get(index))


def _outputs(
    definition: Mapping[str, object], nodes: Mapping[str, UiNode], wires: dict[str, Wire]
) -> Iterator[Socket]:
    """Yield the outputs that are free inside, or shown outside as well."""
    shown = {
        (entry[0], entry[1])
        for entry in sequence(definition.get("external"))
        if isinstance(entry, list) and len(entry) > 1 and all(type(n) is int for n in entry[:2])
    }
    used = {(wire.source, wire.slot) for wire in wires.values()}
    config = mapping(definition.get("config"))
    for node in nodes.values():
        settings = mapping(mapping(config.get(node.id)).get("output"))
        for slot, socket in enumerate(node.outputs):
            hidden = mapping(settings.get(str(slot))).get("visible") is False
            free = (node.id, slot) not in used or (int(node.id), slot) in shown
            if free and not hidden:
                link = f"out{node.id}.{slot}"
                wires[link] = Wire(node.id, slot, "", 0)
                yield dataclasses.replace(socket, link=link)


def _free(name: str, node: UiNode, taken: list[Socket]) -> str:
    """Return the name that a group gives to an input of a part."""
    names = {socket.name for socket in taken}
    if name not in names:
        return name
    longer = f"{node.title or node.type} {name}"
    return longer if longer not in names else f"{longer} {len(taken)}"
