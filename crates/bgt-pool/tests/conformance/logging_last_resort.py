import logging
logging.warning('through basicConfig')
logging.getLogger('other').error('again')
