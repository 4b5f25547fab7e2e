import logging
logging.basicConfig(level=logging.INFO, format='%(levelname)s %(name)s %(message)s %(module)s')
logging.info('informed')
logging.getLogger('deep.er').warning('warned %d', 3)
logging.debug('not seen')
