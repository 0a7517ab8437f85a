"""Graphs of typed nodes: describing, checking, running. Standard library only.

Reading order: `node` (how a node is written), `annotations` (how its class is
read), `schema` (what is known of all nodes), `folders` (where files lie),
`workflow` (from JSON to a checked graph), `executor` (from graph to results),
and behind it `running` (one run), `agenda` (what comes next), `fetching` (what
wires bring), `calling` (one node), `unfolding` (nodes that nodes add).
"""
