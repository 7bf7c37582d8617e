"""Sentences that name a sound: synonyms of every ESC-50 class, and the broader words for groups of them.

Every choice among phrases is decided by a hash of the clip's name, so a clip always gets the same words."""

import hashlib
from collections.abc import Sequence

BROADER_SHARE = 0.15  # of the clips are named by their group alone, as a listener does who is not sure

NAMES = {
    "dog": ("A dog is barking", "A dog barks", "A puppy yaps", "A hound barks"),
    "rooster": ("A rooster crows", "A rooster is crowing", "A cockerel crows"),
    "pig": ("A pig grunts", "A pig is snorting", "A hog grunts"),
    "cow": ("A cow moos", "A cow is mooing", "Cattle are lowing"),
    "frog": ("A frog croaks", "A frog is croaking", "Frogs call from a pond", "A toad croaks"),
    "cat": ("A cat meows", "A cat is meowing", "A kitten mews"),
    "hen": ("A hen clucks", "A hen is clucking", "Chickens cluck"),
    "insects": ("An insect buzzes", "Insects are buzzing", "A fly buzzes", "Bees hum"),
    "sheep": ("A sheep bleats", "A sheep is bleating", "A lamb bleats"),
    "crow": ("A crow caws", "A crow is cawing", "A raven croaks"),
    "rain": ("Rain is falling", "Rain patters on a roof", "Raindrops fall", "A shower of rain falls"),
    "sea waves": ("Sea waves roll in", "Waves break on a beach", "The sea washes ashore", "Ocean surf is heard"),
    "crackling fire": ("A fire is crackling", "A fire crackles", "Wood burns in a campfire", "Flames crackle"),
    "crickets": ("Crickets are chirping", "Crickets chirp at night", "A cricket chirps", "A cicada sings"),
    "chirping birds": ("Birds are chirping", "A bird sings", "Birds twitter", "A songbird chirps"),
    "water drops": ("Water drops fall", "Water is dripping", "Drops fall into water", "A tap drips"),
    "wind": ("The wind is blowing", "Wind howls", "A gust of wind blows", "A breeze blows"),
    "pouring water": ("Water is pouring", "Someone pours water", "Water is poured into a glass"),
    "toilet flush": ("A toilet flushes", "A toilet is flushed", "Water rushes down a toilet"),
    "thunderstorm": ("Thunder is rumbling", "A thunderstorm rumbles", "Thunder rolls", "A storm thunders"),
    "crying baby": ("A baby is crying", "A baby cries", "An infant cries", "A baby wails"),
    "sneezing": ("A person sneezes", "Someone is sneezing", "A sneeze is heard"),
    "clapping": ("People are clapping", "Hands clap", "An audience applauds", "Applause is heard"),
    "breathing": ("A person is breathing", "Someone breathes", "A breath is heard"),
    "coughing": ("A person coughs", "Someone is coughing", "A cough is heard"),
    "footsteps": ("Footsteps are heard", "A person walks", "Someone is walking", "Footsteps approach"),
    "laughing": ("A person laughs", "Someone is laughing", "Laughter is heard"),
    "brushing teeth": ("Someone is brushing teeth", "A person brushes teeth", "A toothbrush scrubs"),
    "snoring": ("A person snores", "Someone is snoring", "A sleeper snores"),
    "drinking sipping": ("Someone is drinking", "A person sips a drink", "A drink is sipped"),
    "door wood knock": (
        "Someone knocks on a door",
        "A knock on a wooden door",
        "A door is knocked on",
        "Knocking is heard",
    ),
    "mouse click": ("A computer mouse clicks", "A mouse is clicked", "A mouse button clicks", "A click is heard"),
    "keyboard typing": ("Someone is typing", "A keyboard is typed on", "Keys of a keyboard clatter", "A person types"),
    "door wood creaks": ("A wooden door creaks", "A door is creaking", "A hinge squeaks"),
    "can opening": ("A can is opened", "A can opens", "Someone opens a can of soda"),
    "washing machine": ("A washing machine runs", "A washing machine spins", "A washer is running"),
    "vacuum cleaner": ("A vacuum cleaner runs", "A vacuum cleaner is humming", "Someone vacuums a carpet"),
    "clock alarm": ("An alarm clock beeps", "A clock alarm rings", "An alarm is beeping", "A beeper sounds"),
    "clock tick": ("A clock is ticking", "A clock ticks", "A watch ticks", "Ticking is heard"),
    "glass breaking": ("Glass is breaking", "Glass breaks", "A glass shatters", "A window is smashed"),
    "helicopter": ("A helicopter is flying", "A helicopter hovers", "A chopper flies over", "Rotor blades beat"),
    "chainsaw": ("A chainsaw is running", "A chainsaw cuts wood", "A chainsaw buzzes", "A power saw runs"),
    "siren": ("A siren is wailing", "A siren wails", "An ambulance passes", "A police siren sounds"),
    "car horn": ("A car horn honks", "A car is honking", "A horn blares", "A vehicle honks"),
    "engine": ("An engine is running", "An engine idles", "A motor is running", "A car engine runs"),
    "train": ("A train passes", "A train is passing", "A locomotive rolls by"),
    "church bells": ("Church bells are ringing", "A church bell tolls", "Bells ring", "A bell chimes"),
    "airplane": ("An airplane flies over", "An airplane is flying", "A jet passes overhead"),
    "fireworks": ("Fireworks explode", "Fireworks are exploding", "A firecracker bangs"),
    "hand saw": ("A hand saw cuts wood", "Someone is sawing wood", "A saw cuts a board"),
}
BROADER = {
    ("An animal calls", "An animal is heard", "An animal makes a noise"): "dog pig cow frog cat sheep",
    ("A bird calls", "A bird is heard", "An animal calls"): "rooster hen crow chirping_birds",
    ("Insects are heard", "An animal makes a noise", "Nature is heard at night"): "insects crickets",
    ("Water is heard", "Water is moving", "Liquid is heard"): "rain sea_waves water_drops pouring_water toilet_flush",
    ("Weather is heard outdoors", "A storm is heard", "Nature is heard outdoors"): "wind thunderstorm crackling_fire",
    ("A person is heard", "A human makes a noise", "Someone is heard"): (
        "crying_baby sneezing clapping breathing coughing footsteps laughing brushing_teeth snoring drinking_sipping"
    ),
    ("An object is struck", "Something is hit indoors", "An object is handled"): (
        "door_wood_knock mouse_click keyboard_typing door_wood_creaks can_opening glass_breaking clock_tick hand_saw"
    ),
    ("A machine is running", "A motor is heard", "Machinery is heard"): (
        "washing_machine vacuum_cleaner helicopter chainsaw engine train airplane"
    ),
    ("A signal sounds", "A warning sounds", "A signal is heard"): "clock_alarm siren car_horn church_bells fireworks",
}
GROUPS = {name.replace("_", " "): phrases for phrases, names in BROADER.items() for name in names.split()}


def pick(options: Sequence, *key: str):
    """The option that the words of `key` decide; the same on every machine."""
    return options[int(share(*key) * len(options))]


def share(*key: str) -> float:
    """A number in [0, 1) that the words of `key` decide, uniform over keys."""
    digest = hashlib.sha256("\x1f".join(key).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def naming_sentence(heard: str, rng_key: str) -> str:
    """A sentence that names the sound as class `heard`, by a synonym or, for about one clip in seven, by its group.
    Caption origin `source`. rng_key: the clip's name; decides among the phrases."""
    phrases = GROUPS[heard] if share(rng_key, "broader") < BROADER_SHARE else NAMES[heard]
    return pick(phrases, rng_key, "name") + "."
