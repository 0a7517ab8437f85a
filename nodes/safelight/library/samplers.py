"""Nodes that choose how to take the steps of a walk, each with the settings it has."""

from functools import partial
from typing import Annotated, ClassVar, Literal

from safelight.diffusion.samplers.ancestral import dpmpp_2s_ancestral, lcm_growing
from safelight.diffusion.samplers.dpm_solver import dpm_adaptive
from safelight.diffusion.samplers.er_sde import er_sde
from safelight.diffusion.samplers.multistep import lms
from safelight.diffusion.samplers.sa_solver import sa_solver
from safelight.diffusion.samplers.sde import dpmpp_2m_sde, dpmpp_3m_sde, dpmpp_sde
from safelight.diffusion.sampling import Method
from safelight.graph.node import Context, Help, Label, Node, Output, Range
from safelight.library.sampling import SamplerName
from safelight.library.values import Model
from safelight.library.walks import Sampler

Chosen = Annotated[Sampler, Output("SAMPLER")]
Eta = Annotated[
    float,
    Range(0.0, 100.0, step=0.01),
    Label("Fresh noise"),
    Help("The share of each step's noise that is fresh; 0 stirs none in."),
]
NoiseScale = Annotated[
    float,
    Range(0.0, 100.0, step=0.01),
    Label("Noise scale"),
    Help("What fresh noise is multiplied by; a little above 1 sharpens."),
]
Device = Annotated[
    Literal["gpu", "cpu"],
    Label("Noise from"),
    Help("Where fresh noise is drawn: on the processor it is the same everywhere."),
]
Number = Annotated[float, Range(0.0, 100.0, step=0.01)]
CATEGORY: str = "sampling/custom_sampling/samplers"


class KSamplerSelect(Node):
    """Choose a sampler by its name, with the settings it usually has."""

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "Sampler"
    sampler_name: SamplerName

    def run(self, ctx: Context) -> Chosen:
        """Look it up."""
        return Sampler(Method.named(self.sampler_name))


class SamplerLCMUpscale(Node):
    """Let a picture grow while it is drawn, with a model distilled to a few steps.

    Its first steps end in a larger guess each, which is drowned again and drawn on.
    """

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "LCM that grows"
    scale_ratio: Annotated[
        float, Range(0.1, 20.0, step=0.01), Label("Grow to"), Help("Times as high and wide.")
    ] = 1.0
    scale_steps: Annotated[
        int, Range(-1, 1000, step=1), Label("Steps to grow in"), Help("-1 is half of all.")
    ] = -1
    upscale_method: Annotated[
        Literal["bislerp", "nearest-exact", "bilinear", "area", "bicubic"], Label("Method")
    ]

    def run(self, ctx: Context) -> Chosen:
        """Bind the settings."""
        growths = None if self.scale_steps < 0 else self.scale_steps
        sampler = partial(
            lcm_growing, scale=self.scale_ratio, growths=growths, method=self.upscale_method
        )
        return Sampler(Method("lcm_growing", sampler))


class SamplerLMS(Node):
    """Remember the slopes of earlier steps: a linear multistep method."""

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "Linear multistep"
    order: Annotated[int, Range(1, 100), Help("How many slopes to remember; 4 is plenty.")] = 4

    def run(self, ctx: Context) -> Chosen:
        """Bind the settings."""
        return Sampler(Method("lms", partial(lms, order=self.order)))


class SamplerDPMPP_3M_SDE(Node):
    """Follow a parabola through the last three guesses, with fresh noise."""

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "DPM++ 3M SDE"
    eta: Eta = 1.0
    s_noise: NoiseScale = 1.0
    noise_device: Device

    def run(self, ctx: Context) -> Chosen:
        """Bind the settings."""
        sampler = partial(dpmpp_3m_sde, eta=self.eta, noise_scale=self.s_noise)
        return Sampler(Method(placed("dpmpp_3m_sde", self.noise_device), sampler))


class SamplerDPMPP_2M_SDE(Node):
    """Follow the line through the last two guesses, with fresh noise."""

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "DPM++ 2M SDE"
    solver_type: Annotated[
        Literal["midpoint", "heun"], Label("Rule"), Help("How the trend of the guess is weighed.")
    ]
    eta: Eta = 1.0
    s_noise: NoiseScale = 1.0
    noise_device: Device

    def run(self, ctx: Context) -> Chosen:
        """Bind the settings."""
        sampler = partial(
            dpmpp_2m_sde,
            eta=self.eta,
            noise_scale=self.s_noise,
            correction=self.solver_type,
        )
        return Sampler(Method(placed("dpmpp_2m_sde", self.noise_device), sampler))


class SamplerDPMPP_SDE(Node):
    """Look once on the way in each step, with fresh noise."""

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "DPM++ SDE"
    eta: Eta = 1.0
    s_noise: NoiseScale = 1.0
    r: Annotated[Number, Label("Where to look"), Help("The share of the step.")] = 0.5
    noise_device: Device

    def run(self, ctx: Context) -> Chosen:
        """Bind the settings."""
        sampler = partial(dpmpp_sde, eta=self.eta, noise_scale=self.s_noise, r=self.r)
        return Sampler(Method(placed("dpmpp_sde", self.noise_device), sampler))


class SamplerDPMPP_2S_Ancestral(Node):
    """Look halfway in each step, then stir fresh noise in."""

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "DPM++ 2S ancestral"
    eta: Eta = 1.0
    s_noise: NoiseScale = 1.0

    def run(self, ctx: Context) -> Chosen:
        """Bind the settings."""
        sampler = partial(dpmpp_2s_ancestral, eta=self.eta, noise_scale=self.s_noise)
        return Sampler(Method("dpmpp_2s_ancestral", sampler))


class SamplerDPMAdaptative(Node):
    """Let two methods of different order agree on how long each step may be.

    The number of steps is then what it takes; the sigmas say only where to begin and end.
    """

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "DPM adaptive"
    order: Annotated[int, Range(2, 3), Help("That of the better of the two methods.")] = 3
    rtol: Annotated[Number, Help("How far they may differ, as a share.")] = 0.05
    atol: Annotated[Number, Help("How far they may differ, at the least.")] = 0.0078
    h_init: Annotated[Number, Label("First step"), Help("Its length in ln sigma.")] = 0.05
    pcoeff: Annotated[Number, Help("How the pace follows the error itself.")] = 0.0
    icoeff: Annotated[Number, Help("How the pace follows the sum of errors.")] = 1.0
    dcoeff: Annotated[Number, Help("How the pace follows the change of the error.")] = 0.0
    accept_safety: Annotated[Number, Help("Steps that would shrink more are repeated.")] = 0.81
    eta: Eta = 0.0
    s_noise: NoiseScale = 1.0

    def run(self, ctx: Context) -> Chosen:
        """Bind the settings."""
        sampler = partial(
            dpm_adaptive,
            order=self.order,
            rtol=self.rtol,
            atol=self.atol,
            h_init=self.h_init,
            pcoeff=self.pcoeff,
            icoeff=self.icoeff,
            dcoeff=self.dcoeff,
            accept_safety=self.accept_safety,
            eta=self.eta,
            noise_scale=self.s_noise,
        )
        return Sampler(Method("dpm_adaptive", sampler))


class SamplerER_SDE(Node):
    """Walk the reverse process under a law of noise of your choice."""

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "Extended reverse SDE"
    solver_type: Annotated[
        Literal["ER-SDE", "Reverse-time SDE", "ODE"], Label("Law"), Help("ODE stirs no noise in.")
    ]
    max_stage: Annotated[int, Range(1, 3), Label("Order"), Help("How many guesses to use.")] = 3
    eta: Annotated[Eta, Help("Only for the reverse-time process.")] = 1.0
    s_noise: NoiseScale = 1.0

    def run(self, ctx: Context) -> Chosen:
        """Bind the settings."""
        eta = 0.0 if self.solver_type == "ODE" else self.eta
        extended = self.solver_type == "ER-SDE"
        sampler = partial(
            er_sde,
            max_stage=self.max_stage,
            noise_scale=self.s_noise if extended or eta > 0 else 0.0,
            power=None if extended else 1 + eta,
        )
        return Sampler(Method("er_sde", sampler))


class SamplerSASolver(Node):
    """Predict and correct by stochastic Adams, with noise in the middle of the walk."""

    category: ClassVar[str] = CATEGORY
    title: ClassVar[str] = "SA-Solver"
    model: Model
    eta: Annotated[
        float,
        Range(0.0, 10.0, step=0.01),
        Label("Fresh noise"),
        Help("How much noise is stirred in; 0 none."),
    ] = 1.0
    sde_start_percent: Annotated[
        float, Range(0.0, 1.0, step=0.001), Label("Noise from"), Help("As a share of the way.")
    ] = 0.2
    sde_end_percent: Annotated[
        float, Range(0.0, 1.0, step=0.001), Label("Noise until"), Help("As a share of the way.")
    ] = 0.8
    s_noise: NoiseScale = 1.0
    predictor_order: Annotated[int, Range(1, 6), Help("How many guesses predict.")] = 3
    corrector_order: Annotated[int, Range(0, 6), Help("How many correct; 0 never does.")] = 4
    use_pece: Annotated[bool, Label("Look twice"), Help("Ask again after correcting.")] = False
    simple_order_2: Annotated[bool, Help("Weigh two guesses in a simpler way.")] = False

    def run(self, ctx: Context) -> Chosen:
        """Bind the settings."""
        percent = self.model.denoiser.schedule.percent
        sampler = partial(
            sa_solver,
            band=(percent(self.sde_start_percent), percent(self.sde_end_percent)),
            noise_scale=self.s_noise,
            eta=self.eta,
            predictor_order=self.predictor_order,
            corrector_order=self.corrector_order,
            simple_order_2=self.simple_order_2,
            again=self.use_pece,
        )
        return Sampler(Method("sa_solver_pece" if self.use_pece else "sa_solver", sampler))


def placed(name: str, device: str) -> str:
    """Return the name of a sampler whose noise is drawn on a device."""
    return f"{name}_gpu" if device == "gpu" else name
