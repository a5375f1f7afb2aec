"""What is planted in the demo project, written down: who errs, how, and by how much.

The sizes were chosen so that each fault is found with at least 95 % power at the planned numbers (`tests/demo` measures it),
so that no planted number is grey. A reader of the labelers' pages should be able to find every line of this file again.
"""

from __future__ import annotations

from dataclasses import dataclass

from labelhub.projects.policy import Policy

ITEMS = 244
GOLD_ITEMS = 170
READERS_AN_ITEM = 3
# Kept free for the visitor: items nobody has read, or that wait for somebody.
UNREAD_ITEMS = 22
BATCH_ITEMS = 6
# So many items wait for the reviewer: those on which no two readers agree, and readings that came back whose authors stand by
# them, each in words of its own.
DISPUTED_ITEMS = 20
STANDING_BY = (
    "I looked again and see it as before: the middle of it stands out from what surrounds it.",
    "The edge is where I drew it, half-way between inside and outside.",
    "What the others see may be the shadow beside it.",
)
# Gold that is not hidden: of as many pictures each.
EXAM_GOLD, TRAINING_GOLD = 6, 2
SESSION_ITEMS = 30
SEED = 20_240_501

# Gold counts once a parent picture and there are 28, so this gate decides between rates that lie far apart: right on .85 or
# on half. A test ends within 26 gold answers. The audit is small because the project is.
POLICY = Policy(
    readers=READERS_AN_ITEM, use_model=True, exam_items=4, exam_pass_share=0.75, gate_good=0.85, gate_poor=0.50,
    gate_false_pause=0.05, gate_miss=0.10, audit_share=0.10, audit_least=6,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated labeler and the planted fault.

    ``offset_px`` shifts every outline outwards, ``roughness_px`` is the standard deviation of the wobble of the outline,
    ``confusion`` the share of items whose class is swapped, ``copies`` whom they copy and ``copy_share`` how often,
    ``fatigue`` the share of items wrongly classed at the end of a session of ``SESSION_ITEMS`` (0 at its start).
    """

    username: str
    name: str
    fault: str
    offset_px: float = 0.0
    roughness_px: float = 0.5
    confusion: float = 0.03
    copies: str = ""
    copy_share: float = 0.0
    fatigue: float = 0.0


LABELERS = (
    Simulated("elena", "Elena Marsh", "none: the best of them", roughness_px=0.25, confusion=0.0),
    Simulated("omar", "Omar Reyes", "draws every outline 2.5 px too far out", offset_px=2.5),
    Simulated("carla", "Carla Lind", "takes dark for bright, or bright for dark, in a third of the items", confusion=0.33),
    Simulated("mira", "Mira Okafor", "none: an average labeler", roughness_px=0.6, confusion=0.05),
    Simulated("kofi", "Kofi Brandt", "copies Mira's outline, to the last vertex, in half of the items both read",
              roughness_px=0.6, copies="mira", copy_share=0.5),
    Simulated("theo", "Theo Vance", "tires: no mistake at the start of a session, nearly every class wrong at its end",
              fatigue=0.95),
    Simulated("sam", "Sam Petit", "none: an average labeler", roughness_px=0.6, confusion=0.05),
)  # fmt: skip

# Who has just joined and sits the entry exam first.
NEWCOMER = ("noa", "Noa Virtanen")
# The sites, and who labels there.
TEAMS = (("North clinic", ("ann", "elena", "mira", "kofi")), ("South clinic", ("omar", "carla", "theo", "sam", "noa")))

# The people whose sign-in links the demo prints, and the page that each link opens.
VISITORS = (
    ("ada", "Ada Keller", "admin", "watches quality, people and progress", "/manage/bright-and-dark-structures/"),
    ("rita", "Rita Sorel", "reviewer", "resolves disagreements", "/review/"),
    ("ann", "Ann Doyle", "annotator", "labels", "/label/?project=bright-and-dark-structures"),
)

# Who labels one volume together, live; the demo prints a link to it for each.
TOGETHER = ("ann", "elena")

PROJECT_NAME = "Bright and dark structures"
VOLUME_PROJECT_NAME = "Brain in three dimensions"

ONTOLOGY = {
    "classes": [
        {
            "key": "bright", "name": "Bright structure", "colour": "#f2a900", "tool": "polygon", "shortcut": "1",
        },
        {
            "key": "dark", "name": "Dark structure", "colour": "#00a3a3", "tool": "polygon", "shortcut": "2",
        },
    ],
    "questions": [
        {
            "key": "edge", "text": "How sharp is its edge?", "kind": "choice", "choices": ["blurred", "fair", "sharp"],
            "is_required": True, "measure": "ordinal", "presupposes_finding": True,
        },
    ],
}  # fmt: skip

GUIDELINE = """\
Each picture is a small cut of a larger one. Outline the structure in the middle that stands out from what surrounds it.

- Choose “Bright structure” if it is brighter than its surroundings, “Dark structure” if it is darker.
- Follow the edge where the brightness is half-way between inside and outside. Do not leave a margin.
- Leave out other structures, even if they are clearer.
- Then say how sharp the edge is.

If nothing stands out in the middle, press “No finding”.
"""

VOLUME_ONTOLOGY = {
    "classes": [
        {"key": "brain", "name": "Brain", "colour": "#f2a900", "tool": "brush", "shortcut": "1"},
        {"key": "ventricle", "name": "Ventricle", "colour": "#00a3a3", "tool": "brush", "shortcut": "2"},
        {"key": "landmark", "name": "Landmark", "colour": "#c95bd0", "tool": "point", "shortcut": "3"},
    ],
    "questions": [],
}

VOLUME_GUIDELINE = """\
Paint the brain in every tenth plane or more, without skull and scalp. The ventricles are optional.
"""
