from mirrorenv.population.checkpoint import load_population as load_population
from mirrorenv.population.checkpoint import save_population as save_population
from mirrorenv.population.experience import Experience as Experience
from mirrorenv.population.experience import play as play
from mirrorenv.population.experience import population_shape as population_shape
from mirrorenv.population.population import Population as Population
