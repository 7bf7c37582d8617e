"""Concept sets D_c, module A (closed concepts: DB) and module C (open concepts)."""

# The class names of ESC-50 (Piczak 2015) in the order of its numbering.
ESC50 = tuple(
    """dog, rooster, pig, cow, frog, cat, hen, insects, sheep, crow, rain, sea waves, crackling fire, crickets,
    chirping birds, water drops, wind, pouring water, toilet flush, thunderstorm, crying baby, sneezing, clapping,
    breathing, coughing, footsteps, laughing, brushing teeth, snoring, drinking sipping, door wood knock, mouse click,
    keyboard typing, door wood creaks, can opening, washing machine, vacuum cleaner, clock alarm, clock tick,
    glass breaking, helicopter, chainsaw, siren, car horn, engine, train, church bells, airplane, fireworks,
    hand saw""".replace("\n    ", " ").split(", ")
)
