"""Which DICOM facts may stand beside the pixels: a short allow-list, and of its texts only values from closed lists.

Deny by default: dates, names, identifiers, free text and private elements are never looked at, and a permitted text
element whose value is not one of the terms that the standard or vendors define is left out, since anybody may have
typed a name into it; of a series' description known words are kept (``descriptions``). The full confidentiality profile
of DICOM PS3.15 is not this. The identity is read apart, for pseudonyms only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.errors import BytesLengthException

from labelhub.formats.pixels.descriptions import kept_description
from labelhub.formats.pixels.medium import Identity

_MODALITIES = (
    "AR ASMT BDUS BI BMD CR CT CTPROTOCOL DG DX ECG EPS ES GM HC IO IVOCT IVUS KER LEN LS MG MR NM OAM OCT OP"
    " OPM OPT OPTBSV OPTENF OPV OSS OT PT PX RF RG SM SMR SRF TG US VA XA XC"
)
_BODY_PARTS = (
    "ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA ARM AXILLA BACK BLADDER BRAIN BREAST BRONCHUS BUTTOCK CALCANEUS"
    " CALF CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CHESTABDOMENPELVIS CLAVICLE COCCYX"
    " COLON CORNEA CORONARYARTERY CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR"
    " FINGER FOOT GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS ILEUM ILIUM JAW JEJUNUM KIDNEY KNEE LARYNX"
    " LEG LIVER LSPINE LSSPINE LUNG MANDIBLE MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN NOSE"
    " ORBIT OVARY PANCREAS PAROTID PATELLA PELVIS PENIS PHARYNX PROSTATE RECTUM RIB SCALP SCAPULA SCLERA"
    " SCROTUM SHOULDER SKIN SKULL SPINE SPLEEN SSPINE STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH THUMB THYMUS"
    " THYROID TLSPINE TMJ TOE TONGUE TRACHEA TSPINE UPPERARM URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST"
    " ZYGOMA"
)
_VIEWS = "AP PA LL RL RLD LLD RLO LLO LATERAL LAT ML LM CC MLO XCC XCCL XCCM SIO ISO FB CV AT OBLIQUE DECUB TANGENTIAL"
_PHOTOMETRIC = frozenset(
    (
        "MONOCHROME1",
        "MONOCHROME2",
        "RGB",
        "PALETTE COLOR",
        "YBR_FULL",
        "YBR_FULL_422",
        "YBR_PARTIAL_420",
        "YBR_ICT",
        "YBR_RCT",
    )
)
_KERNEL = re.compile(
    r"(?:STANDARD|SOFT|DETAIL|BONE|BONEPLUS|LUNG|CHEST|EDGE|ULTRA|[ABCDEFHIJLQRSTUWY]|FC\d{2}|[A-Z][a-z]{0,2}\d{2}[a-z]?)"
)
_TERMS: dict[str, tuple[str, frozenset[str]]] = {
    "modality": ("Modality", frozenset(_MODALITIES.split())),
    "body_part": ("BodyPartExamined", frozenset(_BODY_PARTS.split())),
    "view_position": ("ViewPosition", frozenset(_VIEWS.split())),
    "laterality": ("Laterality", frozenset("LRUB")),
    "image_laterality": ("ImageLaterality", frozenset("LRUB")),
    "photometric_interpretation": ("PhotometricInterpretation", _PHOTOMETRIC),
}
_NUMBERS = {
    "slice_thickness_mm": "SliceThickness",
    "tube_voltage_kv": "KVP",
    "field_strength_t": "MagneticFieldStrength",
    "echo_time_ms": "EchoTime",
    "repetition_time_ms": "RepetitionTime",
    "bits_stored": "BitsStored",
}
_MAX_IDENTIFIER = 128
# A damaged element raises whatever its value representation raises; it counts as absent.
_DAMAGED = (ValueError, TypeError, KeyError, AttributeError, OverflowError, NotImplementedError, BytesLengthException)


def allowed_metadata(dataset: Any) -> dict[str, str | int | float | tuple[float, ...]]:
    """The allow-listed technical facts of a DICOM data set under plain names; whatever is absent or odd is left out."""
    kept: dict[str, str | int | float | tuple[float, ...]] = {}
    for name, (keyword, terms) in _TERMS.items():
        value = text_of(dataset, keyword)
        if value is not None and value.upper() in terms:
            kept[name] = value.upper()
    for name, keyword in _NUMBERS.items():
        numbers = numbers_of(dataset, keyword)
        if len(numbers) == 1:
            kept[name] = int(numbers[0]) if numbers[0].is_integer() else numbers[0]
    spacing = numbers_of(dataset, "PixelSpacing")
    if len(spacing) == 2:
        kept["pixel_spacing_mm"] = spacing
    description = kept_description(text_of(dataset, "SeriesDescription"))
    if description is not None:
        kept["series_description"] = description
    kernel = text_of(dataset, "ConvolutionKernel")
    if kernel is not None and _KERNEL.fullmatch(kernel):
        kept["kernel"] = kernel
    return kept


def identity_of(datasets: Sequence[Any]) -> Identity:
    """Whose images these are, from the first data set, with the instance identifiers of all."""
    first = datasets[0]
    uids = (text_of(dataset, "SOPInstanceUID") for dataset in datasets)
    return Identity(
        patient_id=text_of(first, "PatientID"),
        study_uid=text_of(first, "StudyInstanceUID"),
        series_uid=text_of(first, "SeriesInstanceUID"),
        frame_of_reference_uid=text_of(first, "FrameOfReferenceUID"),
        sop_uids=tuple(uid for uid in uids if uid is not None),
    )


def text_of(dataset: Any, keyword: str) -> str | None:
    """The first value of an element as trimmed text; ``None`` where absent, empty or unreadable."""
    value = _value(dataset, keyword)
    if isinstance(value, (list, tuple)) or (hasattr(value, "__len__") and not isinstance(value, (str, bytes))):
        value = value[0] if len(value) else None
    text = "" if value is None or isinstance(value, bytes) else str(value).strip(" \0")
    return text[:_MAX_IDENTIFIER] or None


def numbers_of(dataset: Any, keyword: str) -> tuple[float, ...]:
    """The finite numbers of an element; empty where absent, or where any value is no finite number."""
    value = _value(dataset, keyword)
    if value is None or isinstance(value, bytes) or value == "":
        return ()
    values = list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
    try:
        numbers = tuple(float(number) for number in values)
    except (TypeError, ValueError, OverflowError):
        return ()
    return numbers if np.isfinite(numbers).all() else ()


def _value(dataset: Any, keyword: str) -> Any:
    try:
        return dataset.get(keyword)
    except _DAMAGED:
        return None
