"""See the acceptance tests fail: break PAM or MXT in one place a test, in a copy, and run that test there.

    python -m benchmarks.mutants --out benchmarks/results/mutants.json

A test that passes on its broken copy proves nothing: the command then ends with exit code 1 and names it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAM, MXT = "test_pam_acceptance", "test_mxt_acceptance"


class Mutant(NamedTuple):
    """One break."""

    test: str
    """How the test that must fail begins."""
    file: str
    old: str
    """Stands once in the file."""
    new: str
    tests: str = PAM
    """The file of the test."""

    @property
    def name(self) -> str:
        """The test, and its file where it is not PAM's."""
        return self.test if self.tests == PAM else f"{self.tests}: {self.test}"


MUTANTS = (
    Mutant("test_01", "extractor/models/pam.py", "copy_BQ1, num_M, first_step=step)", "copy_BQ1, num_M, first_step=1)"),
    Mutant(
        "test_02",
        "extractor/models/pam.py",
        "(input_BSD, None, ~absent_BS[:, None, None])",
        "(input_BSD, None, torch.ones_like(absent_BS)[:, None, None])",
    ),
    Mutant("test_03", "extractor/nn/transformer.py", "(~absent_BS)[:, None, :]", "torch.ones_like(absent_BS)[:, None]"),
    Mutant("test_04", "extractor/reading.py", "if picture.features is not None and self.feature_dim:", "if True:"),
    Mutant("test_05", "extractor/nn/targets.py", "right.to(score.dtype)", "(~right).to(score.dtype)"),
    Mutant("test_06", "extractor/nn/pointer.py", "self.ocr(ocr_BND)]", "self.ocr(0 * ocr_BND)]"),
    Mutant(
        "test_07",
        "extractor/nn/allowed.py",
        "= batch.absent_BQC[:, :, None]",
        "= (batch.absent_BQC & False)[:, :, None]",
    ),
    Mutant("test_08", "extractor/reading.py", ".get((product_type, attribute))", ".get((min(self.types), attribute))"),
    Mutant("test_09", "extractor/answers.py", "value=evidence.replay(", "value='the ' + evidence.replay("),
    Mutant("test_10", "extractor/models/pam.py", "torch.manual_seed(seed)", "torch.seed()"),
    Mutant(
        "test_11",
        "extractor/models/pam.py",
        "return torch.cat(rows, dim=1), torch.cat(absent, dim=1)",
        "rows = torch.cat(rows, dim=1)\n"
        "        place = torch.outer(torch.arange(rows.shape[1]), torch.arange(rows.shape[2])).sin()\n"
        "        return rows + place, torch.cat(absent, dim=1)",
    ),
    Mutant("test_12", "extractor/models/pam.py", "model.network.load_state_dict(load_file", "dict(load_file"),
    Mutant("test_the_worked_example", "extractor/nn/mag.py", "self.beta * torch", "torch", "test_mag"),
    Mutant("test_no_word_moves", "extractor/nn/mag.py", "return alpha_BX1 * move_BXD", "return move_BXD", "test_mag"),
    Mutant(
        "test_at_first",
        "extractor/nn/mag.py",
        "no_image = nn.Parameter(torch.zeros",
        "no_image = nn.Parameter(torch.ones",
        "test_mag",
    ),
    Mutant("test_weights_sum", "extractor/nn/grid_attention.py", "softmax(-1)", "softmax(-2)", "test_grid_attention"),
    Mutant(
        "test_at_first",
        "extractor/nn/grid_attention.py",
        "zeros_(self.out.weight)",
        "ones_(self.out.weight)",
        "test_grid_attention",
    ),
    Mutant(
        "test_an_absent",
        "extractor/nn/grid_attention.py",
        "(absent_B[:, None, None, None], 0.0)",
        "(absent_B[:, None, None, None] & False, 0.0)",
        "test_grid_attention",
    ),
    Mutant(
        "test_the_place_of",
        "extractor/nn/grid_attention.py",
        "0.0) + place_GV",
        "0.0) + 0 * place_GV",
        "test_grid_attention",
    ),
    Mutant("test_09", "extractor/writing.py", "value=spoken,", "value='the ' + spoken,", MXT),
    Mutant(
        "test_an_answer_that",
        "extractor/writing.py",
        "return State.TRUNCATED, longest",
        "return State.VALUE, longest",
        MXT,
    ),
    Mutant(
        "test_a_grid_of_another", "extractor/prompts.py", "if len(regions) - 1 != self.num_cells:", "if False:", MXT
    ),
    Mutant(
        "test_features_of_another", "extractor/prompts.py", "if regions.shape[1] != self.feature_dim:", "if False:", MXT
    ),
    Mutant("test_a_question_longer", "extractor/prompts.py", "if room < 0:", "if False:", MXT),
)


def main() -> None:
    """Break, run, tell, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "mutants.json")
    asked = parser.parse_args()
    found = {mutant.name: verdict(mutant) for mutant in MUTANTS}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    blind = [test for test, said in found.items() if not said.startswith("failed")]
    if blind:
        raise SystemExit(f"passed on broken code: {', '.join(blind)}")


def verdict(mutant: Mutant) -> str:
    """What the test says of its broken copy."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("schemas", "extractor", "tests"):
            shutil.copytree(ROOT / part, Path(folder) / part)
        shutil.copy(ROOT / "pyproject.toml", folder)
        broken = Path(folder) / mutant.file
        content = broken.read_text(encoding="utf-8")
        if content.count(mutant.old) != 1:
            raise SystemExit(f"{mutant.test}: {mutant.old!r} stands {content.count(mutant.old)} times in {mutant.file}")
        broken.write_text(content.replace(mutant.old, mutant.new), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", f"tests/extractor/{mutant.tests}.py", "-k", mutant.test]
        done = subprocess.run(  # noqa: S603  # our own tests, no shell
            command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": folder}
        )
    lines = done.stdout.splitlines()
    why = next((line for line in lines if line.startswith("E ")), lines[-1] if lines else done.stderr[-200:])
    said = f"{'failed' if done.returncode == 1 else 'passed'}: {why.removeprefix('E ').strip()[:120]}"
    print(f"{mutant.name}: {said}", flush=True)
    return said


if __name__ == "__main__":
    main()
