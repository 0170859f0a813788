"""The five-branch encoder-decoder of Sun et al. (2026), section 2.3: tensor in, tensor out."""
