from mirrorenv.llm.asking import Generated as Generated
from mirrorenv.llm.asking import Request as Request
from mirrorenv.llm.engine import Engine as Engine
from mirrorenv.llm.engine import engine_of as engine_of
from mirrorenv.llm.model import LanguageModel as LanguageModel
from mirrorenv.llm.options import Capabilities as Capabilities
from mirrorenv.llm.options import LocalOptions as LocalOptions
from mirrorenv.llm.weights import load_model as load_model
