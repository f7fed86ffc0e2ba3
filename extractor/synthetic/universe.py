"""The six product types of the drawn catalogue: attributes, values, brands, and the words that mislead.

Chosen so that words are ambiguous on purpose: `mint` is a flavour of tea and a brand of detergent, `off` a brand of
repellent and a discount, `rose` a flavour, a scent and a brand, `canvas` a material and a brand.
"""

from extractor.records import Definition
from extractor.synthetic.attributes import (
    badge,
    brand,
    color,
    grams,
    item_form,
    kilograms,
    listed,
    litres,
    millilitres,
    pack_form,
    quantity,
    substance,
    taste,
)
from extractor.synthetic.things import ProductType, Value
from schemas.enums import Kind

CAFFEINE = (
    Value("yes", printed=("caffeinated", "with caffeine")),
    Value("no", printed=("caffeine free", "decaf", "no caffeine")),
)

FACTORS = tuple(Value(str(f), (f"SPF{f}",), printed=(f"SPF {f}",)) for f in (15, 20, 30, 40, 50, 70))

TEA = ProductType(
    name="tea",
    nouns=("tea", "infusion", "tea blend", "loose leaf tea"),
    attributes=(
        brand(
            "tea",
            "One; Harbor Lane; Tamsin's; Kettle & Co; Willowmere; Nine Hills; Steeped; Oru; Honey; Second Leaf",
        ),
        taste(
            "flavor",
            "Which flavor does this tea have?",
            """mint | peppermint; hibiscus; chamomile | camomile; ginger; lemon | citrus; jasmine;
            earl grey | bergamot; rose; mixed berry | forest fruits; apple spice""",
        ),
        badge("caffeine", "Does this tea contain caffeine?", "Good to know: {}", CAFFEINE, Kind.YES_NO),
        quantity(
            "net_content", "How much tea is in the pack?", "Net weight {}", grams(20, 25, 40, 50, 75, 80, 100, 125, 250)
        ),
        pack_form(
            "What is this tea packed in?",
            "box | carton; pouch | bag; tin | can; jar",
            {"box": ("box",), "pouch": ("pouch",), "tin": ("tin",), "jar": ("jar",)},
        ),
    ),
    claims=listed(
        """All natural; One cup a day; Finest leaves; Simple ingredients; Try all varieties; Picked by hand;
        Since 1894; New recipe"""
    ),
    fine_print=listed(
        """Serving size 2 g; Steep 5 minutes; Store below 25 C; Best served hot; Sweet with honey leaf; Makes 20 cups;
        Ingredients: {decoy} leaf, {decoy2} peel"""
    ),
    bullets=listed(
        """Picked by hand in small gardens; Brew for 5 minutes in 200 ml of hot water; Pairs well with {decoy} biscuits;
        A gift for those who like it quiet; Contains dried {decoy} petals for color"""
    ),
)

SUNSCREEN = ProductType(
    name="sunscreen",
    nouns=("sunscreen", "sun protection", "sun care", "sunblock"),
    attributes=(
        brand(
            "sunscreen",
            "Simple; Rose; Solara Bay; Helio; Umbra; Kindred Sun; Paleva; Nordlys; Reef & Sand; Dr. Amund",
        ),
        badge("spf", "Which sun protection factor does it have?", "Protects with {}", FACTORS),
        item_form(
            "sunscreen",
            "lotion | milk; spray | mist; stick; cream | creme",
            {"lotion": ("tube",), "spray": ("spray",), "stick": ("stick",), "cream": ("pot",)},
        ),
        quantity(
            "net_content",
            "How much sunscreen is in the pack?",
            "Contents {}",
            millilitres(50, 75, 100, 125, 150, 200, 250),
            {"stick": millilitres(15, 20, 30, 40)},
        ),
    ),
    claims=listed(
        """All skin types; 20% off; Simple care; Water resistant; UVA and UVB; Dermatologist tested; No white cast;
        Reef friendly"""
    ),
    fine_print=listed(
        """Reapply after 2 hours; Water resistant 80 minutes; Store below 30 C; For external use; With 5% vitamin E;
        Use within 12 months"""
    ),
    bullets=listed(
        """Sinks in within 60 seconds; Tested on 200 people with sensitive skin; A scent of roses and summer;
        Free from parabens; Wear a hat as well"""
    ),
)

DETERGENT = ProductType(
    name="laundry detergent",
    nouns=("laundry detergent", "detergent", "laundry wash"),
    attributes=(
        brand(
            "laundry detergent",
            "All; Mint; Brightfold; Tidewell; Lumo; Washburn; Sudsmith; Oxa; Clean Basics; Mrs. Pell",
        ),
        item_form(
            "laundry detergent",
            "liquid | gel; powder | granules; pods | capsules",
            {"liquid": ("jug",), "powder": ("carton",), "pods": ("tub",)},
        ),
        taste(
            "scent",
            "Which scent does this laundry detergent have?",
            """lavender; fresh linen | clean cotton; mountain breeze | alpine air; rose; lemon | citrus;
            ocean | sea breeze; unscented | fragrance free; spring meadow; jasmine; vanilla orchid; eucalyptus""",
        ),
        quantity(
            "net_content",
            "How much laundry detergent is in the pack?",
            "Net contents {}",
            litres(1.5, 2, 3, 4),
            {"powder": kilograms(1, 2, 2.5, 3), "pods": kilograms(0.6, 0.9, 1.2)},
        ),
    ),
    claims=listed(
        """All temperatures; 2 in 1; 64 loads; 32 washes; Simple to dose; Removes all stains; New formula;
        25% more free; Color care"""
    ),
    fine_print=listed(
        """Dose 40 ml per 5 kg; Keep away from children; Wash at 30 C; Contains enzymes; 1 cap one load;
        Not tested on {decoy} stains"""
    ),
    bullets=listed(
        """Up to 64 loads from one pack; Works from 20 C; Gentle on skin, hard on stains;
        Use one dose per 5 kg of laundry; Goes well with our {decoy} softener"""
    ),
)

REPELLENT = ProductType(
    name="insect repellent",
    nouns=("insect repellent", "mosquito repellent", "bug repellent"),
    attributes=(
        brand(
            "insect repellent",
            "Off; Wild; Marshland; Skeetex; Fernguard; Noctiva; Trailhead; Kamara; Still Lake; Bitefree",
        ),
        substance(
            "active_ingredient",
            "Which active ingredient does this insect repellent have?",
            "Active ingredient: {}",
            "DEET; picaridin | icaridin; citronella; lemon eucalyptus; IR3535; geraniol",
            closed=True,
        ),
        item_form(
            "insect repellent",
            "spray | mist; lotion | milk; wipes | towelettes; candle",
            {"spray": ("spray",), "lotion": ("tube",), "wipes": ("flow_pack",), "candle": ("candle",)},
        ),
        quantity(
            "net_content",
            "How much insect repellent is in the pack?",
            "Contents {}",
            millilitres(60, 75, 90, 100, 120, 150, 175),
            {"wipes": grams(60, 80, 110), "candle": grams(110, 150, 200)},
        ),
    ),
    claims=listed(
        """20% off; One for all; All family; 8 hours; Deep woods; Off the trail; Wild at heart; Against ticks too;
        30% stronger"""
    ),
    fine_print=listed(
        """Protects up to 8 hours; Avoid eyes; Keep below 50 C; For ages 2 and up; Free from {decoy}; Smells of lemon;
        Apply every 6 hours"""
    ),
    bullets=listed(
        """Keeps them away for 8 hours; Stronger than {decoy}, says our laboratory; Made for hikers and campers;
        Does not stain clothes; Buy one, get 20% off the next"""
    ),
)

COOKIES = ProductType(
    name="cookies",
    nouns=("cookies", "biscuits", "crunchy cookies", "bakery cookies"),
    attributes=(
        brand(
            "pack of cookies",
            "One; Honey; Baker's Dozen; Crumbly; Oma Lotte; Tiny Oven; Golden Acre; Nibblers; Maple Row; Simple",
        ),
        taste(
            "flavor",
            "Which flavor do these cookies have?",
            """chocolate chip | choc chip; oatmeal raisin; ginger; lemon; vanilla; coconut; peanut butter;
            double chocolate; hazelnut; salted caramel""",
        ),
        quantity(
            "net_content",
            "How much do these cookies weigh?",
            "Net weight {}",
            grams(90, 120, 150, 175, 200, 225, 300, 350, 400),
        ),
        pack_form(
            "What are these cookies packed in?",
            "box | carton; bag | pouch; tin | can; tray",
            {"box": ("box",), "bag": ("bag",), "tin": ("tin",), "tray": ("flow_pack",)},
        ),
    ),
    claims=listed(
        """All butter taste; One more bite; Simple goodness; Family pack; Baked in small batches; No palm oil; 20% off;
        Try all flavors"""
    ),
    fine_print=listed(
        """Serving size 30 g; 130 calories per cookie; May contain {decoy}; Store in a cool place;
        Ingredients: oat flour, {decoy}, {decoy2}; 2 cookies per serving"""
    ),
    bullets=listed(
        """Baked in a wood oven; 130 calories per serving of 30 g; Made with a pinch of {decoy}; No artificial colors;
        For lunch breaks and long drives"""
    ),
)

BACKPACK = ProductType(
    name="backpack",
    nouns=("backpack", "daypack", "rucksack", "school backpack"),
    attributes=(
        brand(
            "backpack",
            "Canvas; Summit; Northfold; Peregrine; Trekka; Wayfare; Loden; Tor & Vale; Base; All",
        ),
        color("backpack", "black; red | crimson; blue | cobalt; green | emerald; yellow | mustard; pink | blush"),
        substance(
            "material",
            "Which material is this backpack made of?",
            "Made of {}",
            "nylon | ripstop nylon; polyester; canvas; leather; recycled PET; denim; hemp; waxed cotton",
            closed=False,
        ),
        quantity(
            "capacity",
            "How many litres does this backpack hold?",
            "Holds {}",
            litres(12, 15, 18, 20, 22, 25, 28, 30, 35, 40),
        ),
    ),
    claims=listed(
        """One size; All weather; 20% off; Simple living; For school and trail; Lifetime repair; New season;
        Padded straps"""
    ),
    fine_print=listed(
        """Fits 15 inch laptop; Wipe clean only; Weight 600 g; Carries up to 12 kg; Lining not {decoy}; Imported"""
    ),
    bullets=listed(
        """Fits a laptop of 15 inches; Weighs only 600 g; Looks like {decoy}, lasts longer; Padded back and straps;
        Two side pockets for bottles of 1 litre"""
    ),
)

TYPES: tuple[ProductType, ...] = (TEA, SUNSCREEN, DETERGENT, REPELLENT, COOKIES, BACKPACK)

DECOYS = {
    "tea": "flavor",
    "laundry detergent": "scent",
    "insect repellent": "active_ingredient",
    "cookies": "flavor",
    "backpack": "material",
}
"""The attribute whose other values serve as misleading words: ingredients, comparisons, what it is not."""


def definitions() -> tuple[Definition, ...]:
    """What the catalogue asks: one definition a (product type, attribute)."""
    return tuple(attribute.definition(kind.name) for kind in TYPES for attribute in kind.attributes)
