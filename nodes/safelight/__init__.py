"""Safelight: a node-graph workbench for latent diffusion."""

__version__ = "0.1.0"
