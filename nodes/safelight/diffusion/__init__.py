"""Stable Diffusion from first principles: a course to read from top to bottom.

Reading order: attention, embedding, residual, clip, tokens, vae, unet, schedule, denoiser,
guidance, sampling, conditioning, weights, families, memory, shelf, streaming.  Then the
transformers: dit, labels, mmdit, flux, and the language model they listen to: t5, unigram,
sentences.
"""
