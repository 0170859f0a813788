"""File formats shared by both packages: containers, CF time, units, names, known layouts."""
