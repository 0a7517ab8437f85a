"""The node classes: glue between workflows and the course in `safelight.diffusion`.

A node's body is at most 25 lines; what computes is a function of the course.  Names, inputs
and outputs are ComfyUI's where it has the node, so that its workflows run unchanged.
"""
