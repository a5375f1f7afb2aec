"""What may be kept of a series' description: words of a closed list, and numbers with a unit that sequences are named by.

A description is free text, so a name, a date or a number of a patient may stand in it: whatever is not known is dropped, word
by word (the clean descriptors option of DICOM PS3.15, annex E, with deny by default). So "AX T1 POST Miller 1962" is kept as
"AX T1 POST", and a description of unknown words is none. Not here: other tags (``deidentify``).
"""

from __future__ import annotations

import re

MOST_CHARACTERS = 80
_PLANES = "AX AXIAL TRA TRANS TRANSVERSE SAG SAGITTAL COR CORONAL OBL OBLIQUE ORTHO 2D 3D 4D"
_SEQUENCES = (
    "T1 T1W T1WI T2 T2W T2WI T2* T2STAR PD PDW FLAIR STIR TIRM DWI DIFF DIFFUSION ADC TRACE SWI SWAN DTI PWI ASL TOF MRA MRV"
    " MRCP BOLD FMRI FUNCTIONAL SE TSE FSE FRFSE GE GRE FFE TFE EPI EP2D EP3D SPGR FSPGR FLASH MPRAGE MP2RAGE BRAVO VIBE LAVA"
    " THRIVE DIXON HASTE SSFSE FIESTA CISS TRUFISP BTFE DESS PROPELLER BLADE MULTIPLANAR"
)
_CONTRAST = (
    "PRE POST GD GAD GADO CE CONTRAST NATIVE NONCON NONCONTRAST NCCT CECT CTA CTV CTPA HRCT LDCT CBCT ENHANCED UNENHANCED"
    " ARTERIAL VENOUS PORTAL PORTALVENOUS DELAYED LATE EXCRETORY NEPHROGRAPHIC PHASE DYNAMIC DCE DSC PERFUSION SUBTRACTION SUB"
    " WITH WITHOUT"
)
_FAT = "FS FATSAT FAT WATER SAT INPHASE OUTPHASE OPPOSED OPP"
_LOOKS = (
    "SOFT TISSUE STANDARD LUNG BONE BRAIN HEAD NECK CHEST THORAX ABDOMEN PELVIS SPINE CERVICAL THORACIC LUMBAR KNEE HIP"
    " SHOULDER ANKLE WRIST ELBOW LIVER KIDNEY PANCREAS PROSTATE BREAST HEART CARDIAC AORTA CAROTID PITUITARY ORBIT ORBITS SINUS"
    " SINUSES MEDIASTINUM THIN THICK SLICE SLICES KERNEL RECON REFORMAT REFORMATTED MPR MIP MINIP VRT SCOUT LOCALIZER TOPOGRAM"
    " SURVEY INSPIRATION EXPIRATION SUPINE PRONE CT MR PET PT SPECT NM US AC NAC ATTN CORRECTED UNCORRECTED WB WHOLEBODY"
)
_WORDS = frozenset(" ".join((_PLANES, _SEQUENCES, _CONTRAST, _FAT, _LOOKS)).split())
# Of "5MM", "1.25MM", "B1000", "TE90" the kind is known. A number alone may be a date, an age or a patient's.
_MEASURE = re.compile(r"\d{1,2}(?:\.\d{1,3})?MM|B\d{1,4}|TE\d{1,3}")
_TOKEN = re.compile(r"[A-Z0-9.*]+")
_GAP = re.compile(r"(\d)\s+MM\b")


def kept_description(text: str | None) -> str | None:
    """Return the known words of a series' description in their order, in capitals; None where nothing is left.

    >>> kept_description("Ax T1_post Gd (Miller, Anna) 2.5 mm")
    'AX T1 POST GD 2.5MM'
    """
    tokens = _TOKEN.findall(_GAP.sub(r"\1MM", (text or "").upper()))
    kept = [token for token in tokens if token in _WORDS or _MEASURE.fullmatch(token)]
    return " ".join(kept)[:MOST_CHARACTERS].rstrip() or None
