"""What ComfyUI's canvas saves, read and written.

Such a file describes a drawing: boxes with sockets, wires by number, values by
position.  `reading` takes it apart, `widgets` names the values, `tracing`
follows wires through everything that is only drawn, `opening` makes a document
of it, and `saving` goes the other way.
"""
