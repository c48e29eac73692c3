"""The scores of all classes for a hand: GestureRecognizer tells the winner's alone.

The bundle's own embedder and custom classifier are asked once more, about the landmarks that GestureRecognizer found, by a
graph of MediaPipe's calculators. So the same TFLite runs as in the runtime, and TensorFlow is not needed: 0.11 ms a hand on one
core, and what `evaluation/on_landmarks.py` computes to 1e-7.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.bundle.task import labels_of, read_task
from gesture_maker.dataset.names import class_of_bundle_label
from gesture_maker.errors import BundleError
from gesture_maker.landmarks.hands import POINTS, EmbedderInputs, Hand, embedder_inputs
from gesture_maker.mediapipe_runtime import load_mediapipe, quiet_stderr

_INPUTS = ("hand", "handedness", "world_hand")  # in the order in which an embedder takes them

_TO_TENSORS = """
node {{
  calculator: "TensorConverterCalculator" input_stream: "MATRIX:{name}" output_stream: "TENSORS:{name}_tensor"
  options {{ [mediapipe.TensorConverterCalculatorOptions.ext] {{ zero_center: false row_major_matrix: true }} }}
}}
"""

_INFERENCE = """
node {{
  calculator: "TfLiteModelCalculator" input_side_packet: "MODEL_BLOB:{name}" output_side_packet: "MODEL:{name}_model"
}}
node {{
  calculator: "InferenceCalculator" input_side_packet: "MODEL:{name}_model"
  input_stream: "TENSORS:{source}" output_stream: "TENSORS:{target}"
  options {{ [mediapipe.InferenceCalculatorOptions.ext] {{ delegate {{ xnnpack {{ num_threads: 1 }} }} }} }}
}}
"""

_GRAPH = "".join(
    [
        *(f'input_stream: "{name}"\n' for name in _INPUTS),
        'input_side_packet: "embedder" input_side_packet: "classifier" output_stream: "scores"',
        *(_TO_TENSORS.format(name=name) for name in _INPUTS),
        'node { calculator: "ConcatenateTensorVectorCalculator" output_stream: "inputs" ',
        *(f'input_stream: "{name}_tensor" ' for name in _INPUTS),
        "}",
        _INFERENCE.format(name="embedder", source="inputs", target="embedding"),
        _INFERENCE.format(name="classifier", source="embedding", target="answer"),
        'node { calculator: "TensorsToFloatsCalculator" input_stream: "TENSORS:answer" output_stream: "FLOATS:scores" }',
    ]
)


class ClassScores:
    """A bundle's embedder and custom classifier, kept open; one thread each.

    `labels`: the classes, in the order of the classifier's outputs; empty when the bundle has no custom classifier. Raises
    BundleError for a file that is no gesture recognizer bundle, or whose parts do not fit together.
    """

    def __init__(self, bundle: Path | bytes) -> None:
        parts = read_task(bundle)
        classifier = parts.custom_gesture_classifier
        self.labels = [class_of_bundle_label(label) for label in labels_of(classifier)] if classifier else []
        self._misfit = BundleError(
            f"The models of {'the bundle' if isinstance(bundle, bytes) else bundle} do not fit each other: export it again."
        )
        self._answers: list[list[float]] = []
        self._asked = 0
        self._graph: Any = None
        if classifier is None:
            return
        self._mediapipe = load_mediapipe()
        from google.protobuf import text_format  # type: ignore[import-untyped]
        from mediapipe.calculators.tensor import inference_calculator_pb2, tensor_converter_calculator_pb2  # noqa: F401
        from mediapipe.framework import calculator_pb2

        config = text_format.Parse(_GRAPH, calculator_pb2.CalculatorGraphConfig())
        text = self._mediapipe.packet_creator.create_string
        with quiet_stderr():
            self._graph = self._mediapipe.CalculatorGraph(graph_config=config)
            self._graph.observe_output_stream("scores", self._receive)
            self._graph.start_run({"embedder": text(parts.gesture_embedder), "classifier": text(classifier)})
            nowhere = np.zeros((POINTS, 3), np.float32)
            self.of([Hand(nowhere, nowhere, 0.5, 1, 1)])  # has the notes of the first inference printed now

    def of(self, hands: Sequence[Hand]) -> list[dict[str, float]]:
        """Return the score of each class, 0..1, for each of the hands; no classes for a bundle without a custom classifier.

        Raises BundleError when the bundle's parts do not fit together.
        """
        if self._graph is None or not hands:
            return [{} for _ in hands]
        return [dict(zip(self.labels, scores, strict=True)) for scores in self.of_inputs(embedder_inputs(list(hands)))]

    def of_inputs(self, inputs: EmbedderInputs) -> list[list[float]]:
        """Return the same for hands as the embedder is given them: a list for each, in the order of `labels`."""
        if self._graph is None:
            return [[] for _ in range(len(inputs))]
        self._answers.clear()
        try:
            for hand, handedness, world in zip(inputs.hand, inputs.handedness, inputs.world_hand, strict=True):
                self._asked += 1
                for name, values in zip(_INPUTS, (hand, handedness[None], world), strict=True):
                    self._graph.add_packet_to_input_stream(name, self._packet(values))
            self._graph.wait_until_idle()
        except (RuntimeError, ValueError) as error:
            raise self._misfit from error
        if [len(scores) for scores in self._answers] != [len(self.labels)] * len(inputs):
            raise self._misfit
        return list(self._answers)

    def close(self) -> None:
        """Free the models."""
        graph, self._graph = self._graph, None
        if graph is None:
            return
        try:
            graph.close()
        except (RuntimeError, ValueError):  # after a failed inference it complains once more
            return

    def _packet(self, values: npt.NDArray[np.float32]) -> Any:
        matrix = np.asfortranarray(values, np.float32)  # as MediaPipe's matrices lie in memory
        return self._mediapipe.packet_creator.create_matrix(matrix).at(self._asked)

    def _receive(self, _: str, packet: Any) -> None:
        self._answers.append(self._mediapipe.packet_getter.get_float_list(packet))
