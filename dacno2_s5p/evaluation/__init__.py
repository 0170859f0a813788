"""Predicted fields beside stations and CAMS, as the paper's tables do it."""
