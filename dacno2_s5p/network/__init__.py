"""The five-branch encoder-decoder of Sun et al. (2026), section 2.3: tensor in, tensor out.

In reading order: `blocks`, `convlstm`, `encoders`, `fusion`, `decoder`, `lean`, `first_guess`,
`dacno2`, `checkpoint`, `tensor_file`, `memory`, `runtime`.
"""
